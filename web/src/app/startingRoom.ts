/** The recently visited rooms, and the room to open if the address names none. */

import { storeItem } from '../data/storage/local';
import type { State } from '../data/state/state';
import { listRooms } from '../directory/listing';
import { isGuest } from './policy';

/** Room ids, the latest first. Erased when the person signs out. */
const RECENT = 'hubbub.recent';
const AT_MOST = 20;

export function recentRooms(): string[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(RECENT) ?? '[]');
    return Array.isArray(stored) ? stored.filter((room) => typeof room === 'string') : [];
  } catch {
    return [];
  }
}

export function rememberRoom(room: string): void {
  const rooms = [room, ...recentRooms().filter((other) => other !== room)];
  storeItem(RECENT, JSON.stringify(rooms.slice(0, AT_MOST)));
}

/** The last visited room, otherwise the lobby, otherwise the first room of the list. */
export function startingRoom(state: State): string | null {
  const isMine = (room: string) => state.rooms.get(room)?.hidden === false;
  const wanted = [...recentRooms(), 'lobby'].find(isMine);
  if (wanted) return wanted;
  // A guest has only the rooms that they have just opened.
  if (isGuest(state)) return recentRooms()[0] ?? 'lobby';
  const { rooms, people } = listRooms(state, null);
  return (rooms[0] ?? people[0])?.room ?? null;
}
