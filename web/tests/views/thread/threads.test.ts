// @vitest-environment jsdom
import { beforeEach, describe, expect, test } from 'vitest';
import { summarizeUnread } from '../../../src/app/page/badge';
import { inOrder, listRooms } from '../../../src/directory/listing';
import { may } from '../../../src/app/policy';
import { titleOf } from '../../../src/directory/naming';
import { pathOf, roomRoute, routeOf } from '../../../src/app/router.svelte';
import type { MyRoom, Welcome } from '../../../src/data/wire/protocol';
import { onEvent } from '../../../src/data/state/reducer';
import { onDisconnected, onJoined, onOpened, onWelcome } from '../../../src/data/state/replies';
import { INITIAL, toMessage, toRoomState, countUnread, type RoomState, type State } from '../../../src/data/state/state';
import { needsSync } from '../../../src/data/sync';
import { homeOf, isUnstarted, threadOf, countUnreadThreads } from '../../../src/data/state/thread';
import { startThread } from '../../../src/data/threadRequests';
import type { Chat } from '../../../src/data/chat';
import { mergePage, type ListedThread } from '../../../src/views/lists/threads/threadList.svelte';
import { canOpenThread } from '../../../src/views/message/threadLink';
import { findMatching, listDefaults } from '../../../src/views/switcher/options';

const ME = { name: 'ana', display_name: 'Ana', role: 'member' as const };
const TEA: MyRoom = { room: 'tea', kind: 'public', title: 'Tea', role: 'member', seq: 9, rev: 9, read_seq: 9 };
const THREAD: MyRoom = {
  room: 'tea.4', kind: 'public', title: '', parent: 'tea', parent_seq: 4, role: 'member', seq: 3, rev: 3,
};

const stateWith = (...rooms: MyRoom[]): State => ({
  ...INITIAL,
  epoch: 'e',
  me: ME,
  rooms: new Map(rooms.map((wire) => [wire.room, toRoomState(wire, 1)])),
});

const at = (state: State, name: string): RoomState => {
  const room = state.rooms.get(name);
  if (!room) throw new Error(`no room ${name}`);
  return room;
};

/** The part of a chat that changes its state. */
function chatOf(state: State): Chat {
  const chat = {
    state,
    update(how: (state: State) => State) {
      chat.state = how(chat.state);
    },
  };
  return chat as unknown as Chat;
}

describe('a thread', () => {
  const state = stateWith(TEA, THREAD);

  test('is not in any list of rooms', () => {
    expect(inOrder(listRooms(state, null)).map(({ room }) => room)).toEqual(['tea']);
    const rooms = (groups: ReturnType<typeof listDefaults>) =>
      groups.flatMap(({ options }) => options.map(({ key }) => key));
    expect(rooms(listDefaults(state, [], null))).toEqual(['tea']);
    expect(rooms(findMatching(state, 'tea', [], { rooms: [], people: [] }))).toEqual(['tea']);
  });

  test('has the title and the rights of its room', () => {
    const thread = at(state, 'tea.4');
    expect(titleOf(state, thread)).toBe('Tea');
    expect(homeOf(state, thread).room).toBe('tea');
    const watched = stateWith(TEA, { ...THREAD, role: null });
    expect(may.post(watched, at(watched, 'tea.4'))).toBe(true);
    const archived = stateWith({ ...TEA, archived: true }, THREAD);
    expect(may.post(archived, at(archived, 'tea.4'))).toBe(false);
    const left = stateWith({ ...TEA, role: null }, { ...THREAD, role: null });
    expect(may.post(left, at(left, 'tea.4'))).toBe(false);
  });

  test('counts as an unread thread, and in the title of the page', () => {
    expect(countUnreadThreads(state)).toEqual({ count: 1, isForMe: false });
    expect(summarizeUnread(state)).toEqual({ count: 0, any: true });
    const called = stateWith(TEA, { ...THREAD, mentions: 1 });
    expect(countUnreadThreads(called)).toEqual({ count: 1, isForMe: true });
    expect(summarizeUnread(called).count).toBe(1);
    for (const wire of [{ read_seq: 3 }, { role: null }, { notify: 'none' as const }]) {
      expect(countUnreadThreads(stateWith(TEA, { ...THREAD, ...wire })).count).toBe(0);
    }
    expect(countUnreadThreads(stateWith({ ...TEA, read_seq: 0 })).count).toBe(0);
  });

  test('can be started by anyone who may write, on a message that is not deleted', () => {
    const message = toMessage({ room: 'tea', seq: 4, rev: 4, by: 'bo', at: 1 });
    expect(canOpenThread(message, true)).toBe(true);
    expect(canOpenThread(message, false)).toBe(false);
    expect(canOpenThread({ ...message, deleted: true }, true)).toBe(false);
    const answered = { ...message, marks: { ...message.marks, replies: 1 } };
    expect(canOpenThread({ ...answered, deleted: true }, false)).toBe(true);
    expect(canOpenThread({ ...message, room: 'tea.4' }, true)).toBe(false);
  });
});

describe('its address', () => {
  test('is below that of its message', () => {
    expect(pathOf(roomRoute('tea.4'))).toBe('/rooms/tea/4/thread');
    expect(pathOf(roomRoute('tea.4', 2))).toBe('/rooms/tea/4/thread/2');
    for (const path of ['/rooms/tea/4/thread', '/rooms/tea/4/thread/2', '/rooms/tea/4']) {
      expect(pathOf(routeOf(path))).toBe(path);
    }
    expect(routeOf('/rooms/tea/x/thread')).toEqual(roomRoute('tea'));
  });

  test('names a room and a message', () => {
    expect(threadOf('tea.4')).toEqual({ parent: 'tea', seq: 4 });
    for (const name of ['tea', 'tea.', 'tea.0', 'tea.x', 'tea.4.1', '.4']) {
      expect(threadOf(name)).toBeNull();
    }
  });
});

describe('on screen', () => {
  const opened = (...rooms: MyRoom[]) => onOpened(stateWith(...rooms), ['tea', 'tea.4']);

  test('it is synced and removed together with its room', () => {
    const state = opened(TEA, THREAD);
    expect(needsSync(at(state, 'tea'), state.open)).toBe(true);
    expect(needsSync(at(state, 'tea.4'), state.open)).toBe(true);
    const gone = onEvent(state, { on: 'removed', room: 'tea', rev: 2, reason: 'kicked' }, 0);
    expect([...gone.rooms.keys()]).toEqual([]);
  });

  test('it stays after unfollowing, and is removed when it is closed', () => {
    const removed = { on: 'removed', room: 'tea.4', rev: 2, reason: 'left' } as const;
    const state = onEvent(opened(TEA, THREAD), removed, 0);
    expect(at(state, 'tea.4').role).toBeNull();
    expect(countUnread(at(state, 'tea.4'))).toBe(0);
    expect(onOpened(state, ['tea']).rooms.has('tea.4')).toBe(false);
    expect(onEvent(stateWith(TEA, THREAD), removed, 0).rooms.has('tea.4')).toBe(false);
    expect(onOpened(opened(TEA, THREAD), ['tea']).rooms.has('tea.4')).toBe(true);
  });

  describe('without replies', () => {
    let chat: Chat;
    beforeEach(() => {
      chat = chatOf(onOpened(stateWith(TEA), ['tea', 'tea.4']));
      startThread(chat, at(chat.state, 'tea'), 4);
    });

    test('it is created locally, without any request', () => {
      expect(isUnstarted(at(chat.state, 'tea.4'))).toBe(true);
      expect(needsSync(at(chat.state, 'tea.4'), chat.state.open)).toBe(false);
    });

    test('the user’s first reply is added when it arrives', () => {
      const mine = { ...THREAD, seq: 1, rev: 1, read_seq: 1 };
      let state = onEvent({ ...chat.state, myRev: 1 }, { on: 'me', rev: 2, room: mine }, 0);
      const said = { room: 'tea.4', seq: 1, rev: 1, by: 'ana', at: 5, text: 'So' };
      state = onEvent(state, { on: 'message', ...said }, 0);
      const { live, have, role } = at(state, 'tea.4');
      expect(live.messages.map(({ text }) => text)).toEqual(['So']);
      expect({ have, role }).toEqual({ have: 1, role: 'member' });
    });

    test('replies of others arrive by watching it', () => {
      const answers = [1, 2, 3].map((seq) => ({ room: 'tea.4', seq, rev: seq, by: 'bo', at: seq }));
      const state = onJoined(
        chat.state,
        { room: { ...THREAD, role: null }, messages: answers, people: [] },
        1,
      );
      expect(at(state, 'tea.4').live).toMatchObject({ messages: { length: 3 }, start: true });
    });

    test('it survives a lost connection', () => {
      const welcome: Welcome = {
        epoch: 'e', me: ME, rooms: [TEA], gone: [], presence: {},
        server: {
          name: 'Hubbub', version: '0', registration: 'open', guests: true, needs_owner: false,
          limits: { text: 16_000, frame_bytes: 262_144, page: 200 },
        },
      };
      const state = onWelcome(onDisconnected(chat.state), welcome);
      expect(needsSync(at(state, 'tea.4'), state.open)).toBe(false);
      expect(at(state, 'tea.4').live.start).toBe(true);
    });
  });
});

test('a new page of threads replaces the entries that it contains', () => {
  const thread = (room: string, when: number): ListedThread => ({
    room,
    root: toMessage({ room: 'tea', seq: 1, rev: 1, by: 'bo', at: 0 }),
    last: toMessage({ room, seq: 1, rev: 1, by: 'bo', at: when }),
    seq: 1,
    unread: 0,
  });
  const names = (list: readonly ListedThread[]) => list.map(({ room }) => room);
  const before = [thread('a.1', 50), thread('b.1', 40), thread('c.1', 30), thread('d.1', 20)];
  // One moved up, and one is no longer followed.
  const page = [thread('c.1', 60), thread('a.1', 50)];
  expect(names(mergePage(page, 'more', before))).toEqual(['c.1', 'a.1', 'b.1', 'd.1']);
  expect(names(mergePage([thread('c.1', 60), thread('b.1', 40)], 'more', before))).toEqual([
    'c.1', 'b.1', 'd.1',
  ]);
  expect(names(mergePage(page, null, before))).toEqual(['c.1', 'a.1']);
});
