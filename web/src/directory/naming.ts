/** How rooms and people are called and sorted. */

import { displayName, type RoomState, type State } from '../data/state/state';
import { homeOf } from '../data/state/thread';

/**
 * A direct room is called by the others in it; one with oneself alone, by oneself. A thread is
 * called as the room that it is in.
 */
export function titleOf(state: State, place: RoomState): string {
  const room = homeOf(state, place);
  if (room.kind !== 'direct') return room.title;
  const people = room.people.length > 0 ? room.people : state.me ? [state.me.name] : [];
  return new Intl.ListFormat(document.documentElement.lang || 'en', { type: 'unit' }).format(
    people.map((name) => displayName(state, name)),
  );
}

/** A guest's handle begins with `~`, which its name need not show. */
export const isGuestName = (name: string): boolean => name.startsWith('~');

/** In the order of the list: by title, as the language sorts. */
export function byTitle(state: State): (a: RoomState, b: RoomState) => number {
  const collator = new Intl.Collator(document.documentElement.lang || 'en', { numeric: true });
  return (a, b) => collator.compare(titleOf(state, a), titleOf(state, b));
}
