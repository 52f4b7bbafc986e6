/** Pinning, as the menu of a message offers it. */

import { Pin, PinOff } from 'lucide';
import { may } from '../../../app/policy';
import { session } from '../../../app/session/session.svelte';
import { liveRegion } from '../../../app/liveRegion.svelte';
import { attempt } from '../../../app/errors';
import type { Message, MessageRef, RoomState } from '../../../data/state/state';
import type { MenuItem } from '../../../parts/Menu.svelte';
import { markWords } from './words';

/** Returns whether it succeeded. */
export async function pin({ room, seq }: MessageRef, on: boolean): Promise<boolean> {
  const isDone = await attempt(() => session.currentChat.request('pin', { room, seq, on }));
  if (isDone) liveRegion.show(on ? markWords().pinDone : markWords().unpinDone);
  return isDone;
}

export function pinItems(message: Message, room: RoomState): MenuItem[] {
  if (message.deleted || !may.pin(session.state, room)) return [];
  const t = markWords();
  const { pinned } = message.marks;
  const [label, icon] = pinned ? [t.unpin, PinOff] : [t.pin, Pin];
  return [{ label, icon, run: () => pin(message, !pinned) }];
}
