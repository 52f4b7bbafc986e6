/** Reactions and pins; loaded with what shows them. */

import { pluralIn } from '../plural';

const plural = pluralIn('en');

export const marks = {
  react: 'React',
  reactions: 'Reactions',
  more: 'More emoji…',
  you: 'you',
  /** Who reacted; only some of the names are listed. */
  who: (names: readonly string[], others: number): string =>
    names.length === 0
      ? plural(others, { one: '# person', other: '# people' })
      : names.join(', ') + (others ? plural(others, { one: ' and # other', other: ' and # others' }) : ''),
  reaction: (emoji: string, count: number, who: string): string => `${emoji} ${count}: ${who}`,
  reacted: (name: string, emoji: string): string => `${name} reacted to your message with ${emoji}`,
  reactedMany: (count: number): string =>
    plural(count, { one: '# new reaction to your messages', other: '# new reactions to your messages' }),

  pin: 'Pin to room',
  unpin: 'Unpin',
  pinDone: 'Pinned to the room',
  unpinDone: 'No longer pinned',
  pinnedBy: (name: string): string => `Pinned by ${name}`,
  pinnedByYou: 'Pinned by you',
  pinned: 'Pinned',
  noPins: 'Nothing is pinned here yet.',
  unpinOf: (name: string): string => `Unpin the message by ${name}`,
};

export type MarkWords = typeof marks;
