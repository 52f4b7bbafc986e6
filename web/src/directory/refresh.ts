/**
 * Fetches the names of people on screen again, because they may have changed while this device was
 * offline.
 */

import type { Chat } from '../data/chat';
import { Disconnected, Refused } from '../data/wire/errors';
import { withPeople } from '../data/state/reducer';
import { shownSegment } from '../data/state/state';
import { isGuestName } from './naming';

/** The most names that the server answers at once; those of the latest messages are fetched. */
const AT_ONCE = 100;

export async function refreshNames(chat: Chat, room: string, requested: Set<string>): Promise<void> {
  const known = chat.state.rooms.get(room);
  const messages = known ? shownSegment(known).messages : [];
  const all = messages.flatMap(({ by, mentions }) => [by, ...mentions]);
  const fresh = new Set(all.filter((name) => name[0] !== '@' && !isGuestName(name) && !requested.has(name)));
  const names = [...fresh].slice(-AT_ONCE);
  if (names.length === 0) return;
  for (const name of names) requested.add(name);
  try {
    const { users } = await chat.request('users', { names });
    chat.update((state) => withPeople(state, users));
  } catch (error) {
    if (!(error instanceof Disconnected) && !(error instanceof Refused)) throw error;
    // Keep the old names; the next connection fetches them again.
  }
}
