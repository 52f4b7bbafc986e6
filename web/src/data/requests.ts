/** What a person asks for now and then: each comes with the view that offers it. */

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
  // A direct room stays and is only hidden, which a `me` event tells.
  if (chat.state.rooms.get(room)?.kind !== 'direct') chat.update((state) => withoutRoom(state, room));
}

/** Leave the room that somebody added one to, and keep them from doing it again. */
export async function blockAndLeave(chat: Chat, user: string, room: string): Promise<void> {
  await chat.request('block', { user });
  await leaveRoom(chat, room);
}

/** Somebody of whom only the handle may be known: they are known from then on. */
export async function fetchPerson(chat: Chat, name: string): Promise<void> {
  const { users } = await chat.request('users', { names: [name] });
  chat.update((state) => withPeople(state, users));
}

export async function loadMembers(chat: Chat, room: string, after = ''): Promise<void> {
  const page = await chat.request('members', { room, after });
  chat.update((state) => onMembers(state, room, page, after === ''));
}

/** People whose handle or name holds `q`; they are known from then on. */
export async function findPeople(chat: Chat, q: string): Promise<void> {
  const { users } = await chat.request('users', { q, limit: 20 });
  chat.update((state) => withPeople(state, users));
}

/** A page of members; `first` when it begins the list. */
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
    // A list that was given up meanwhile would lack all that comes before this page.
    if (!first && !room.memberList) return room;
    const roles = new Map(first ? [] : room.memberList?.roles);
    for (const member of page.members) roles.set(member.name, member.role ?? 'member');
    return { ...room, memberList: { roles, mrev: page.mrev, more: page.more } };
  });
}
