/** Fetches the names of people who reacted but have not written here. */

import { isGuestName } from '../../../directory/naming';
import { session } from '../../../app/session/session.svelte';
import type { Chat } from '../../../data/chat';
import { withPeople } from '../../../data/state/reducer';

/** The most names that the server answers at once. */
const AT_ONCE = 100;

const requests = new WeakMap<Chat, Map<string, Promise<void>>>();

/** Resolves when they are known or could not be fetched; then their handles are shown. */
export async function fetchNames(names: readonly string[]): Promise<void> {
  const chat = session.currentChat;
  const before = requests.get(chat) ?? new Map<string, Promise<void>>();
  requests.set(chat, before);
  const unknown = names.filter((name) => !isGuestName(name) && !chat.state.people.has(name));
  const fresh = unknown.filter((name) => !before.has(name)).slice(0, AT_ONCE);
  if (fresh.length > 0) {
    const answer = ask(chat, fresh).catch(() => fresh.forEach((name) => before.delete(name)));
    for (const name of fresh) before.set(name, answer);
  }
  await Promise.all(unknown.map((name) => before.get(name)));
}

async function ask(chat: Chat, names: string[]): Promise<void> {
  const { users } = await chat.request('users', { names });
  chat.update((state) => withPeople(state, users));
}
