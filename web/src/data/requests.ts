/** Less frequent requests, loaded with the views that offer them. */

import type { Chat } from './chat';
import type { Fields, Membership } from './wire/protocol';
import { changeRoom, withoutRoom, withPeople } from './state/reducer';
import type { State } from './state/state';

export async function createRoom(chat: Chat, fields: Fields<'create_room'>): Promise<string> {
  return chat.applyJoined(await chat.request('create_room', fields));
}

export async function openDirect(chat: Chat, users: string[]): Promise<string> {
  return chat.applyJoined(await chat.request('direct', { users }));
}

export async function leaveRoom(chat: Chat, room: string): Promise<void> {
  await chat.request('leave', { room });
  // A direct room is only hidden, which a `me` event reports.
  if (chat.state.rooms.get(room)?.kind !== 'direct') chat.update((state) => withoutRoom(state, room));
}

/** Leaves the room that somebody added the user to, and prevents them from doing it again. */
export async function blockAndLeave(chat: Chat, user: string, room: string): Promise<void> {
  await chat.request('block', { user });
  await leaveRoom(chat, room);
}

/** Fetches a person of whom only the handle is known. */
export async function fetchPerson(chat: Chat, name: string): Promise<void> {
  const { users } = await chat.request('users', { names: [name] });
  chat.update((state) => withPeople(state, users));
}

export async function loadMembers(chat: Chat, room: string, after = ''): Promise<void> {
  const page = await chat.request('members', { room, after });
  chat.update((state) => onMembers(state, room, page, after === ''));
}

/** Fetches people whose handle or display name contains `q`. */
export async function findPeople(chat: Chat, q: string): Promise<void> {
  const { users } = await chat.request('users', { q, limit: 20 });
  chat.update((state) => withPeople(state, users));
}

/** Applies a page of members; `first` if it is the first page. */
export function onMembers(
  state: State,
  name: string,
  page: { members: Membership[]; mrev: number; more: boolean },
  first: boolean,
): State {
  const people = page.members.map(({ name: handle, display_name }) => {
    return { ...state.people.get(handle), name: handle, display_name };
  });
  const presence = new Map(state.presence);
  for (const member of page.members) {
    if (member.presence && member.presence !== 'offline') presence.set(member.name, member.presence);
    else presence.delete(member.name);
  }
  return changeRoom(withPeople({ ...state, presence }, people), name, (room) => {
    // If the list was dropped in the meantime, everything before this page would be missing.
    if (!first && !room.memberList) return room;
    const roles = new Map(first ? [] : room.memberList?.roles);
    for (const member of page.members) roles.set(member.name, member.role ?? 'member');
    return { ...room, memberList: { roles, mrev: page.mrev, more: page.more } };
  });
}
