/** Whoever is about to call many is asked whether that is meant. */

import { dialogs } from '../../app/page/dialogs.svelte';
import { may } from '../../app/policy';
import { session } from '../../app/session/session.svelte';
import type { RoomState } from '../../data/state/state';
import { listWords } from '../lists/words';
import { pieces } from '../../markdown/parsing/plain';
import ConfirmMassMention from './ConfirmMassMention.svelte';

/** With more members than this, that is worth a question. */
const CONFIRM_ABOVE = 20;

type MassMention = 'room' | 'here';

/** Who is called in a text; what stands in a quote was said by somebody else. */
export function findMassMention(text: string): MassMention | null {
  const names = pieces(text.replace(/^ {0,3}>.*$/gm, '')).flatMap((piece) =>
    piece.is === 'mention' ? piece.name : [],
  );
  return (['room', 'here'] as const).find((name) => names.includes(name)) ?? null;
}

/** Whether it is to be sent; who was called `before` it was edited knows already. */
export function confirmMassMention(text: string, before: string, room: RoomState | null): Promise<boolean> {
  const call = findMassMention(text);
  const isNews = call !== null && findMassMention(before) === null;
  if (!room || !isNews || room.members <= CONFIRM_ABOVE || !may.mentionAll(session.state, room)) {
    return Promise.resolve(true);
  }
  const t = listWords();
  const question = call === 'room' ? t.notifiesRoom(room.members) : t.notifiesHere(room.members);
  return new Promise((answer) => {
    dialogs.present(() => Promise.resolve({ default: ConfirmMassMention }), { text: question, answer });
  });
}
