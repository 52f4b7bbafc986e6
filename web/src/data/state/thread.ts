/** A thread is a room of its own, under one message of another room. */

import { countUnread, countUnreadMentions, type RoomState, type State } from './state';

export const threadId = (room: string, seq: number): string => `${room}.${seq}`;

/** The room and the message that a thread's address names; null for any other room's. */
export function threadOf(room: string): { parent: string; seq: number } | null {
  const [, parent, seq] = /^([^.]+)\.([1-9]\d{0,15})$/.exec(room) ?? [];
  return parent && seq ? { parent, seq: Number(seq) } : null;
}

/** The room that a thread is in; any other room itself. */
export const homeOf = ({ rooms }: State, room: RoomState): RoomState =>
  rooms.get(room.parent ?? room.room) ?? room;

/** Nobody has said anything in it: the server makes it with the first answer. */
export const isUnstarted = ({ parent, seq }: RoomState): boolean => parent !== null && seq === 0;

/** How many threads that one follows have something unread, and whether it mentions me. */
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
