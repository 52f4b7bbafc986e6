/** The titles of rooms, and their order. */

import { displayName, type RoomState, type State } from '../data/state/state';
import { homeOf } from '../data/state/thread';

/**
 * A direct room has the names of the other people as its title; if there are none, the user's own name.
 * A thread has the title of its room.
 */
export function titleOf(state: State, place: RoomState): string {
  const room = homeOf(state, place);
  if (room.kind !== 'direct') return room.title;
  const people = room.people.length > 0 ? room.people : state.me ? [state.me.name] : [];
  return new Intl.ListFormat(document.documentElement.lang || 'en', { type: 'unit' }).format(
    people.map((name) => displayName(state, name)),
  );
}

/** The handle of a guest begins with `~`. */
export const isGuestName = (name: string): boolean => name.startsWith('~');

/** By title, in the order of the language. */
export function byTitle(state: State): (a: RoomState, b: RoomState) => number {
  const collator = new Intl.Collator(document.documentElement.lang || 'en', { numeric: true });
  return (a, b) => collator.compare(titleOf(state, a), titleOf(state, b));
}
