/** Where the line "New" stands in the room on screen, and whether what is shown counts as read. */

import { readUpTo, countUnread, type RoomState } from '../../data/state/state';

export interface NewLine {
  /** The line stands after the message with this seq; null: there is none. */
  readonly newAfter: number | null;
  readonly readUpTo: number;
  /** Marked as unread on purpose: what is on screen stays so till somebody comes back to it. */
  readonly isHeld: boolean;
}

export function newLineOnOpen(room: RoomState): NewLine {
  const read = readUpTo(room);
  return { newAfter: countUnread(room) > 0 ? read : null, readUpTo: read, isHeld: false };
}

/**
 * After the room has changed. The line stays where it is while somebody is there; what comes in
 * their absence stands below a new one, once they have read what was below the old one.
 */
export function newLineOnChange(before: NewLine, room: RoomState, isThere: boolean): NewLine {
  const read = readUpTo(room);
  if (read < before.readUpTo) return { newAfter: read, readUpTo: read, isHeld: true };
  const isOver = before.newAfter === null || read > before.newAfter;
  const newAfter = !isThere && isOver && countUnread(room) > 0 ? read : before.newAfter;
  if (newAfter === before.newAfter && read === before.readUpTo) return before;
  return { ...before, newAfter, readUpTo: read };
}

/** Somebody looks at the page again. */
export function newLineOnReturn(before: NewLine): NewLine {
  return before.isHeld ? { ...before, isHeld: false } : before;
}
