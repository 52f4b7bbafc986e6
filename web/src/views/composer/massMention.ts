/** Whoever is about to call many is asked whether that is meant. */

import { dialogs } from '../../app/page/dialogs.svelte';
import { may } from '../../app/policy';
import { session } from '../../app/session/session.svelte';
import type { RoomState } from '../../data/state/state';
import { keepingWords } from '../lists/words';
import { pieces } from '../../markdown/parsing/plain';
import ConfirmMassMention from './ConfirmMassMention.svelte';

/** With more members than this, that is worth a question. */
const MANY = 20;

type Call = 'room' | 'here';

/** Who is called in a text; what stands in a quote was said by somebody else. */
export function callIn(text: string): Call | null {
  const names = pieces(text.replace(/^ {0,3}>.*$/gm, '')).flatMap((piece) =>
    piece.is === 'mention' ? piece.name : [],
  );
  return (['room', 'here'] as const).find((name) => names.includes(name)) ?? null;
}

/** Whether it is to be sent; who was called `before` it was edited knows already. */
export function isMeant(text: string, before: string, room: RoomState | null): Promise<boolean> {
  const call = callIn(text);
  const isNews = call !== null && callIn(before) === null;
  if (!room || !isNews || room.members <= MANY || !may.mentionAll(session.state, room)) {
    return Promise.resolve(true);
  }
  const t = keepingWords();
  const question = call === 'room' ? t.tellsRoom(room.members) : t.tellsHere(room.members);
  return new Promise((answer) => {
    dialogs.present(() => Promise.resolve({ default: ConfirmMassMention }), { text: question, answer });
  });
}
