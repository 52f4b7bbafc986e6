/** The name of the place where a message was posted. */

import { titleOf } from '../../directory/naming';
import type { State } from '../../data/state/state';
import { listWords } from './words';

/** The id of the room, or of the room of a thread. */
export const homeRoomId = (name: string): string => name.split('.', 1)[0] ?? name;

/** An unknown room is shown by its id. */
export function placeName(state: State, name: string): string {
  const home = homeRoomId(name);
  const isThread = home !== name;
  const room = state.rooms.get(home);
  const t = listWords();
  const title = room ? titleOf(state, room) : home;
  if (room?.kind === 'direct') return (isThread ? t.inThreadWith : t.withPeople)(title);
  return (isThread ? t.inThread : t.inRoom)(title);
}
