/** In which room to begin, if the address says none; and which rooms one was in last. */

import { keepItem } from '../data/storage/local';
import type { State } from '../data/state/state';
import { listRooms } from '../directory/listing';
import { isGuest } from './policy';

/** Room ids, the latest first; goes with everything else when its person signs out. */
const RECENT = 'hubbub.recent';
const AT_MOST = 20;

export function recentRooms(): string[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(RECENT) ?? '[]');
    return Array.isArray(kept) ? kept.filter((room) => typeof room === 'string') : [];
  } catch {
    return [];
  }
}

export function rememberRoom(room: string): void {
  const rooms = [room, ...recentRooms().filter((other) => other !== room)];
  keepItem(RECENT, JSON.stringify(rooms.slice(0, AT_MOST)));
}

/** The one last seen, else the lobby, else the first of the list. */
export function startingRoom(state: State): string | null {
  const isMine = (room: string) => state.rooms.get(room)?.hidden === false;
  const wanted = [...recentRooms(), 'lobby'].find(isMine);
  if (wanted) return wanted;
  // A guest has no rooms but those just looked into.
  if (isGuest(state)) return recentRooms()[0] ?? 'lobby';
  const { rooms, people } = listRooms(state, null);
  return (rooms[0] ?? people[0])?.room ?? null;
}
