/** Watching and following threads; loaded with the thread view. */

import type { Chat } from './chat';
import { Disconnected, Refused } from './wire/errors';
import { withRoom } from './state/reducer';
import { toRoomState, type RoomState } from './state/state';
import { threadId } from './state/thread';

/** Creates an empty thread locally. The server creates it with the first reply. */
export function startThread(chat: Chat, home: RoomState, seq: number): void {
  const room = threadId(home.room, seq);
  if (chat.state.rooms.has(room)) return;
  const { kind } = home;
  const blank = toRoomState({ room, kind, title: '', parent: home.room, parent_seq: seq }, 0);
  const begun: RoomState = { ...blank, have: 0, catchUp: 'none', live: { messages: [], start: true } };
  chat.update((state) => withRoom(state, begun));
}

/** Receives the events of a thread that the user does not follow, until the connection ends. */
export async function watchThread(chat: Chat, thread: string): Promise<void> {
  chat.applyJoined(await chat.request('watch', { room: thread }));
}

export async function unwatchThread(chat: Chat, thread: string): Promise<void> {
  if (!chat.isOnline) return;
  try {
    await chat.request('unwatch', { room: thread });
  } catch (error) {
    // If the connection or the thread is gone, watching has ended anyway.
    if (!(error instanceof Disconnected) && !(error instanceof Refused)) throw error;
  }
}

export const followThread = (chat: Chat, thread: string): Promise<void> => chat.join(thread);

/** A `removed` event follows; while the thread is on screen it can still be read. */
export async function unfollowThread(chat: Chat, thread: string): Promise<void> {
  await chat.request('leave', { room: thread });
}
