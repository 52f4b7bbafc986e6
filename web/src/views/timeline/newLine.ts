/** The position of the line "New", and whether messages on screen count as read. */

import { readUpTo, countUnread, type RoomState } from '../../data/state/state';

export interface NewLine {
  /** The seq of the message above the line; null: no line. */
  readonly newAfter: number | null;
  readonly readUpTo: number;
  /** The user marked messages as unread; they stay unread until the user comes back to them. */
  readonly isHeld: boolean;
}

export function newLineOnOpen(room: RoomState): NewLine {
  const read = readUpTo(room);
  return { newAfter: countUnread(room) > 0 ? read : null, readUpTo: read, isHeld: false };
}

/**
 * After a change of the room. The line stays while the user is looking. If messages arrive later, a new
 * line is set once everything below the old one was read.
 */
export function newLineOnChange(before: NewLine, room: RoomState, isThere: boolean): NewLine {
  const read = readUpTo(room);
  if (read < before.readUpTo) return { newAfter: read, readUpTo: read, isHeld: true };
  const isOver = before.newAfter === null || read > before.newAfter;
  const newAfter = !isThere && isOver && countUnread(room) > 0 ? read : before.newAfter;
  if (newAfter === before.newAfter && read === before.readUpTo) return before;
  return { ...before, newAfter, readUpTo: read };
}

/** The user looks at the page again. */
export function newLineOnReturn(before: NewLine): NewLine {
  return before.isHeld ? { ...before, isHeld: false } : before;
}
