/** Looking into threads, and following them: it comes with the view of one. */

import type { Chat } from './chat';
import { Disconnected, Refused } from './wire/errors';
import { withRoom } from './state/reducer';
import { toRoomState, type RoomState } from './state/state';
import { threadId } from './state/thread';

/** A thread nobody has answered in is begun here; the server makes it with the first answer. */
export function startThread(chat: Chat, home: RoomState, seq: number): void {
  const room = threadId(home.room, seq);
  if (chat.state.rooms.has(room)) return;
  const { kind } = home;
  const blank = toRoomState({ room, kind, title: '', parent: home.room, parent_seq: seq }, 0);
  const begun: RoomState = { ...blank, have: 0, catchUp: 'none', live: { messages: [], start: true } };
  chat.update((state) => withRoom(state, begun));
}

/** Hear what is said in a thread that one does not follow, for as long as this connection lasts. */
export async function watchThread(chat: Chat, thread: string): Promise<void> {
  chat.applyJoined(await chat.request('watch', { room: thread }));
}

export async function unwatchThread(chat: Chat, thread: string): Promise<void> {
  if (!chat.isOnline) return;
  try {
    await chat.request('unwatch', { room: thread });
  } catch (error) {
    // With the connection, or the thread, it is over anyway.
    if (!(error instanceof Disconnected) && !(error instanceof Refused)) throw error;
  }
}

export const followThread = (chat: Chat, thread: string): Promise<void> => chat.join(thread);

/** What becomes of it here is told by a `removed` event: on screen it can still be read. */
export async function unfollowThread(chat: Chat, thread: string): Promise<void> {
  await chat.request('leave', { room: thread });
}
