/** Where something was said. */

import { titleOf } from '../../directory/naming';
import type { State } from '../../data/state/state';
import { keepingWords } from './words';

/** The id of the room, or of the one that a thread is in. */
export const homeOf = (name: string): string => name.split('.', 1)[0] ?? name;

/** A room that I do not know is called by its address. */
export function placeIn(state: State, name: string): string {
  const home = homeOf(name);
  const isThread = home !== name;
  const room = state.rooms.get(home);
  const t = keepingWords();
  const title = room ? titleOf(state, room) : home;
  if (room?.kind === 'direct') return (isThread ? t.inThreadWith : t.withPeople)(title);
  return (isThread ? t.inThread : t.inRoom)(title);
}
