// @vitest-environment jsdom
import { beforeEach, expect, test, vi } from 'vitest';
import { showBadge, summarizeUnread } from '../../../src/app/page/badge';
import type { MyRoom } from '../../../src/data/wire/protocol';
import { INITIAL, toRoomState, type RoomState, type State } from '../../../src/data/state/state';

const base: MyRoom = { room: 'a', kind: 'public', title: 'A', role: 'member', seq: 9, read_seq: 9 };

function stateOf(...rooms: (Partial<MyRoom> & { hidden?: boolean })[]): State {
  const made = rooms.map((room, index): [string, RoomState] => {
    const name = `room${index}`;
    return [name, toRoomState({ ...base, ...room, room: name }, 1)];
  });
  return { ...INITIAL, rooms: new Map(made) };
}

test('without unread messages there is no badge', () => {
  expect(summarizeUnread(stateOf({}, { kind: 'direct' }))).toEqual({ count: 0, any: false });
});

test('mentions count, and every message in a direct room does', () => {
  const state = stateOf(
    { read_seq: 1, mentions: 2 },
    { kind: 'direct', read_seq: 6 },
    { read_seq: 4 },
  );
  expect(summarizeUnread(state)).toEqual({ count: 5, any: true });
});

test('other messages show a dot without a number', () => {
  expect(summarizeUnread(stateOf({ read_seq: 4 }))).toEqual({ count: 0, any: true });
});

test('muted and hidden rooms do not count', () => {
  const state = stateOf(
    { read_seq: 1, mentions: 2, notify: 'none' },
    { kind: 'direct', read_seq: 1, notify: 'none' },
    { read_seq: 1, mentions: 3, hidden: true },
  );
  expect(summarizeUnread(state)).toEqual({ count: 0, any: false });
});

test('in rooms with notifications for mentions only, only mentions count', () => {
  expect(summarizeUnread(stateOf({ read_seq: 1, notify: 'mentions' }))).toEqual({ count: 0, any: false });
  const mentioned = stateOf({ read_seq: 1, mentions: 1, notify: 'mentions' });
  expect(summarizeUnread(mentioned)).toEqual({ count: 1, any: true });
});

beforeEach(() => {
  document.head.innerHTML = '<link rel="icon" href="/favicon.svg">';
});

const icon = () => document.querySelector('link')?.getAttribute('href');

test('the icon has a dot while something is unread', () => {
  showBadge({ count: 0, any: true });
  expect(icon()).toBe('/favicon-unread.svg');
  showBadge({ count: 0, any: false });
  expect(icon()).toBe('/favicon.svg');
});

test('an installed app shows the number, a dot without one, or nothing', () => {
  const setAppBadge = vi.fn(() => Promise.resolve());
  const clearAppBadge = vi.fn(() => Promise.reject(new Error('not installed')));
  vi.stubGlobal('navigator', { setAppBadge, clearAppBadge });
  showBadge({ count: 3, any: true });
  expect(setAppBadge).toHaveBeenLastCalledWith(3);
  showBadge({ count: 0, any: true });
  expect(setAppBadge).toHaveBeenLastCalledWith(undefined);
  showBadge({ count: 0, any: false });
  expect(clearAppBadge).toHaveBeenCalledOnce();
});
