/** German: reactions and pins. */

import type { MarkWords } from '../en/marks';
import { pluralIn } from '../plural';

const plural = pluralIn('de');

export const marks: MarkWords = {
  react: 'Reagieren',
  reactions: 'Reaktionen',
  more: 'Mehr Emoji …',
  you: 'du',
  who: (names, others) =>
    names.length === 0
      ? plural(others, { one: '# Person', other: '# Personen' })
      : names.join(', ') + (others ? plural(others, { one: ' und # weitere Person', other: ' und # weitere' }) : ''),
  reaction: (emoji, count, who) => `${emoji} ${count}: ${who}`,
  reacted: (name, emoji) => `${name} hat auf deine Nachricht mit ${emoji} reagiert`,
  reactedMany: (count) =>
    plural(count, {
      one: '# neue Reaktion auf deine Nachrichten',
      other: '# neue Reaktionen auf deine Nachrichten',
    }),

  pin: 'Im Raum anheften',
  unpin: 'Nicht mehr anheften',
  pinDone: 'Im Raum angeheftet',
  unpinDone: 'Nicht mehr angeheftet',
  pinnedBy: (name) => `Angeheftet von ${name}`,
  pinnedByYou: 'Von dir angeheftet',
  pinned: 'Angeheftet',
  noPins: 'Hier ist noch nichts angeheftet.',
  unpinOf: (name) => `Nachricht von ${name} nicht mehr anheften`,
};
