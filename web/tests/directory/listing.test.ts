// @vitest-environment jsdom
import { beforeEach, describe, expect, test } from 'vitest';
import { badgeOf, inOrder, isUnread, listRooms, EMPTY_LISTING } from '../../src/directory/listing';
import { keysOf, nextOf } from '../../src/app/shortcuts';
import { recentRooms, rememberRoom, startingRoom } from '../../src/app/startingRoom';
import type { MyRoom } from '../../src/data/wire/protocol';
import { INITIAL, toMessage, toRoomState, type RoomState, type State } from '../../src/data/state/state';

function room(fields: Partial<MyRoom> & { room: string }, more: Partial<RoomState> = {}): RoomState {
  const wire: MyRoom = { kind: 'public', title: fields.room, role: 'member', ...fields };
  return { ...toRoomState(wire, 1), ...more };
}

function direct(name: string, at: number, fields: Partial<MyRoom> = {}): RoomState {
  const people = [{ name, display_name: name }];
  const message = toMessage({ room: `d-${name}`, seq: 1, rev: 1, by: name, at });
  const live = { messages: at > 0 ? [message] : [], start: true };
  return room({ room: `d-${name}`, kind: 'direct', title: '', people, ...fields }, { live });
}

function stateWith(...rooms: RoomState[]): State {
  const me = { name: 'me', display_name: 'Me', role: 'member' as const };
  return { ...INITIAL, me, rooms: new Map(rooms.map((one) => [one.room, one])) };
}

const titles = (state: State, open: string | null = null) =>
  inOrder(listRooms(state, open)).map((entry) => entry.title);

function entry(fields: Partial<MyRoom>) {
  const found = listRooms(stateWith(room({ room: 'r', seq: 5, read_seq: 2, ...fields })), null);
  return inOrder(found)[0]!;
}

describe('the sidebar', () => {
  test('rooms are sorted by title, people by their last message, unread before read', () => {
    const state = stateWith(
      room({ room: 'b', title: 'Room 10' }),
      room({ room: 'a', title: 'room 2' }),
      direct('old', 100),
      direct('never', 0),
      direct('new', 200),
      direct('waits', 50, { seq: 1 }),
    );
    expect(titles(state)).toEqual(['room 2', 'Room 10', 'waits', 'new', 'old', 'never']);
  });

  test('hidden rooms are listed only while they are open', () => {
    const state = stateWith(room({ room: 'a', archived: true }), direct('bo', 1, { hidden: true }));
    expect(titles(state)).toEqual([]);
    expect(titles(state, 'a')).toEqual(['a']);
    expect(titles(state, 'd-bo')).toEqual(['bo']);
  });

  test('messages without notifications do not count', () => {
    expect(entry({ mentions: 1 })).toMatchObject({ unread: 3, mentions: 1, isMuted: false });
    expect(entry({ mentions: 1, notify: 'mentions' })).toMatchObject({ unread: 0, mentions: 1 });
    const muted = entry({ mentions: 1, notify: 'none' });
    expect(muted).toMatchObject({ unread: 0, mentions: 0, isMuted: true });
    expect(isUnread(muted)).toBe(false);
  });

  test('the badge counts mentions in rooms, and everything in direct rooms', () => {
    expect(badgeOf(entry({ mentions: 2 }))).toBe(2);
    expect(badgeOf(entry({}))).toBe(0);
    expect(badgeOf(entry({ kind: 'direct' }))).toBe(3);
  });

  test('unchanged entries and lists keep their identity', () => {
    const state = stateWith(room({ room: 'a' }), room({ room: 'b' }), direct('bo', 1));
    const first = listRooms(state, null, EMPTY_LISTING);
    const message = toMessage({ room: 'a', seq: 1, rev: 1, by: 'me', at: 9 });
    const read = { ...state.rooms.get('a')!, seq: 1, readSeq: 1, live: { messages: [message], start: true } };
    const same = { ...state, rooms: new Map(state.rooms).set('a', read) };
    expect(listRooms(same, null, first)).toBe(first);

    const unread = { ...same, rooms: new Map(same.rooms).set('a', { ...read, seq: 2 }) };
    const after = listRooms(unread, null, first);
    expect(after.rooms[0]).toMatchObject({ room: 'a', unread: 1 });
    expect(after.rooms[1]).toBe(first.rooms[1]);
    expect(after.people[0]).toBe(first.people[0]);
  });

  test('a new display name changes the title of the direct room', () => {
    const state = stateWith(direct('bo', 1));
    const first = listRooms(state, null);
    const people = new Map([['bo', { name: 'bo', display_name: 'Bo Diddley' }]]);
    expect(inOrder(listRooms({ ...state, people }, null, first))[0]?.title).toBe('Bo Diddley');
  });
});

describe('keys', () => {
  const press = (init: KeyboardEventInit) => keysOf(new KeyboardEvent('keydown', init), false);

  test('they are the same on every layout', () => {
    expect(press({ key: 'k', code: 'KeyK', ctrlKey: true })).toBe('Mod+K');
    expect(press({ key: 'K', code: 'KeyK', ctrlKey: true })).toBe('Mod+K');
    expect(press({ key: 'л', code: 'KeyK', ctrlKey: true })).toBe('Mod+K');
    expect(press({ key: '/', code: 'Digit7', ctrlKey: true, shiftKey: true })).toBe('Mod+/');
    expect(press({ key: 'ArrowUp', altKey: true, shiftKey: true })).toBe('Alt+Shift+ArrowUp');
    expect(press({ key: 'K', code: 'KeyK', ctrlKey: true, shiftKey: true })).toBe('Mod+Shift+K');
  });

  test('on a Mac it is the command key, and Ctrl stays what it is there', () => {
    const mac = (init: KeyboardEventInit) => keysOf(new KeyboardEvent('keydown', init), true);
    expect(mac({ key: 'k', code: 'KeyK', metaKey: true })).toBe('Mod+K');
    expect(mac({ key: 'k', code: 'KeyK', ctrlKey: true })).toBe('K');
  });

  test('go to the next room, wrapping around, or to the next unread one', () => {
    const state = stateWith(
      room({ room: 'a' }),
      room({ room: 'b', seq: 1 }),
      room({ room: 'c' }),
      room({ room: 'm', seq: 1, notify: 'none' }),
    );
    const entries = inOrder(listRooms(state, null));
    const go = (from: string | null, by: 1 | -1, unread = false) =>
      nextOf(entries, from, by, unread ? isUnread : () => true)?.room ?? null;
    expect(go('a', 1)).toBe('b');
    expect(go('m', 1)).toBe('a');
    expect(go('a', -1)).toBe('m');
    expect(go(null, 1)).toBe('a');
    expect(go(null, -1)).toBe('m');
    expect(go('c', 1, true)).toBe('b');
    expect(go('c', -1, true)).toBe('b');
    expect(go('b', 1, true)).toBeNull();
  });
});

describe('the starting room', () => {
  beforeEach(() => localStorage.clear());

  test('is the last visited room, otherwise the lobby, otherwise the first', () => {
    const rooms = [room({ room: 'a' }), room({ room: 'lobby' }), room({ room: 'z' })];
    expect(startingRoom(stateWith(...rooms))).toBe('lobby');
    expect(startingRoom(stateWith(rooms[2]!, rooms[0]!))).toBe('a');
    rememberRoom('z');
    rememberRoom('gone');
    expect(startingRoom(stateWith(...rooms))).toBe('z');
    expect(startingRoom(stateWith())).toBeNull();
  });

  test('is the lobby for guests, even before joining it', () => {
    const me = { name: '~zoe', display_name: 'zoe', role: 'guest' as const };
    expect(startingRoom({ ...stateWith(), me })).toBe('lobby');
  });

  test('recent rooms are listed once, the latest first; a damaged value is ignored', () => {
    for (const name of ['a', 'b', 'a']) rememberRoom(name);
    expect(recentRooms()).toEqual(['a', 'b']);
    localStorage.setItem('hubbub.recent', '{"not": "a list"');
    expect(recentRooms()).toEqual([]);
  });
});
