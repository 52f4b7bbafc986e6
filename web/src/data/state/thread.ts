/** A thread is a room of its own that belongs to one message of another room. */

import { countUnread, countUnreadMentions, type RoomState, type State } from './state';

export const threadId = (room: string, seq: number): string => `${room}.${seq}`;

/** The room and the message that a thread id names; null if it is the id of another room. */
export function threadOf(room: string): { parent: string; seq: number } | null {
  const [, parent, seq] = /^([^.]+)\.([1-9]\d{0,15})$/.exec(room) ?? [];
  return parent && seq ? { parent, seq: Number(seq) } : null;
}

/** The room of a thread; any other room itself. */
export const homeOf = ({ rooms }: State, room: RoomState): RoomState =>
  rooms.get(room.parent ?? room.room) ?? room;

/** Nobody has replied yet: the server creates the thread with the first reply. */
export const isUnstarted = ({ parent, seq }: RoomState): boolean => parent !== null && seq === 0;

/** How many followed threads have something unread, and whether any of it mentions the user. */
export function countUnreadThreads({ rooms }: State): { count: number; isForMe: boolean } {
  let count = 0;
  let isForMe = false;
  for (const room of rooms.values()) {
    if (room.parent === null || room.notify === 'none' || countUnread(room) === 0) continue;
    const mentions = countUnreadMentions(room);
    count += Number(room.notify === 'all' || mentions > 0);
    isForMe ||= mentions > 0;
  }
  return { count, isForMe };
}
