/** In which room to begin, if the address says none. */

import type { State } from '../data/state';
import { byTitle } from './naming';

const LAST_ROOM = 'hubbub.room';

export function rememberRoom(room: string): void {
  localStorage.setItem(LAST_ROOM, room);
}

/** The one last seen, else the lobby, else the first of the list. */
export function startingRoom(state: State): string | null {
  const mine = [...state.rooms.values()].filter((room) => !room.hidden);
  const last = localStorage.getItem(LAST_ROOM);
  const wanted = [last, 'lobby'].find((name) => mine.some((room) => room.room === name));
  return wanted ?? mine.sort(byTitle(state))[0]?.room ?? null;
}
