/** Asks for confirmation before many people are notified. */

import { dialogs } from '../../app/page/dialogs.svelte';
import { may } from '../../app/policy';
import { session } from '../../app/session/session.svelte';
import type { RoomState } from '../../data/state/state';
import { listWords } from '../lists/words';
import { pieces } from '../../markdown/parsing/plain';
import ConfirmMassMention from './ConfirmMassMention.svelte';

/** With more members than this, ask first. */
const CONFIRM_ABOVE = 20;

type MassMention = 'room' | 'here';

/** Finds a mass mention in a text. Quoted lines do not count. */
export function findMassMention(text: string): MassMention | null {
  const names = pieces(text.replace(/^ {0,3}>.*$/gm, '')).flatMap((piece) =>
    piece.is === 'mention' ? piece.name : [],
  );
  return (['room', 'here'] as const).find((name) => names.includes(name)) ?? null;
}

/**
 * Returns whether to send. If the text `before` the edit already had a mass mention, nobody is notified
 * again.
 */
export function confirmMassMention(text: string, before: string, room: RoomState | null): Promise<boolean> {
  const call = findMassMention(text);
  const isNews = call !== null && findMassMention(before) === null;
  if (!room || !isNews || room.members <= CONFIRM_ABOVE || !may.mentionAll(session.state, room)) {
    return Promise.resolve(true);
  }
  const t = listWords();
  const question = call === 'room' ? t.notifiesRoom(room.members) : t.notifiesHere(room.members);
  return new Promise((answer) => {
    dialogs.showCustom(() => Promise.resolve({ default: ConfirmMassMention }), { text: question, answer });
  });
}
