import { expect, test } from 'vitest';
import { onMembers } from '../../../src/data/requests';
import type { MyRoom, Message as WireMessage, Welcome } from '../../../src/data/wire/protocol';
import { onEvent } from '../../../src/data/state/reducer';
import { onSynced, onSyncSent, onWelcome, onWelcomeOver } from '../../../src/data/state/replies';
import { INITIAL, type RoomState, type State } from '../../../src/data/state/state';
import { needsSync } from '../../../src/data/sync';

const ROOM = 'tea';
const OPEN = new Map([[ROOM, true]]);

function welcomed(seq: number, rev: number): State {
  const room: MyRoom = { room: ROOM, kind: 'public', title: 'Tea', role: 'member', seq, rev };
  const welcome: Welcome = {
    epoch: 'e',
    me: { name: 'ana', display_name: 'Ana', role: 'member' },
    server: {
      name: 'Hubbub', version: '0', registration: 'open', guests: true, needs_owner: false,
      limits: { text: 16_000, frame_bytes: 262_144, page: 200 },
    },
    rooms: [room],
    gone: [],
    presence: {},
  };
  return onWelcomeOver(onWelcome(INITIAL, welcome));
}

function message(seq: number, rev: number): WireMessage & { on: 'message' } {
  return { on: 'message', room: ROOM, seq, rev, by: 'bo', at: rev, text: `${seq}` };
}

function tea(state: State): RoomState {
  return state.rooms.get(ROOM) as RoomState;
}

test('a live event that arrives before a reset is synced again', () => {
  let state = onSyncSent(welcomed(2, 2), ROOM);
  for (const event of [message(3, 3), { on: 'reset' as const, room: ROOM }, message(1, 1), message(2, 2)]) {
    state = onEvent(state, event, 0);
  }
  state = onSynced(state, ROOM, { through: 2, more: false, reset: true });
  expect(needsSync(tea(state), OPEN)).toBe(true);

  state = onEvent(onSyncSent(state, ROOM), message(3, 3), 0);
  state = onSynced(state, ROOM, { through: 3, more: false, reset: false });
  expect(tea(state).live.messages.map(({ seq }) => seq)).toEqual([1, 2, 3]);
  expect(needsSync(tea(state), OPEN)).toBe(false);
});

test('while there is more to come, nothing counts as complete', () => {
  // Message 1 was edited to rev 3 after the head was sent, so the first part of the answer lacks it.
  let state = onEvent(onSyncSent(welcomed(2, 2), ROOM), message(2, 2), 0);
  state = onSynced(state, ROOM, { through: 2, more: true, reset: false });
  expect(needsSync(tea(state), OPEN)).toBe(true);

  state = onEvent(onSyncSent(state, ROOM), message(1, 3), 0);
  state = onSynced(state, ROOM, { through: 3, more: false, reset: false });
  expect(tea(state).live.messages.map(({ seq }) => seq)).toEqual([1, 2]);
});

test('a later page of members does not count as the whole list', () => {
  const page = (name: string, mrev: number) => ({
    members: [{ name, display_name: name }],
    mrev,
    more: true,
  });
  let state = onMembers(welcomed(0, 0), ROOM, page('ana', 1), true);
  // In a large room only the count is sent, so the list that was started is outdated.
  state = onEvent(state, { on: 'member', room: ROOM, mrev: 3, members: 300 }, 0);
  expect(tea(state).memberList).toBeNull();
  expect(tea(onMembers(state, ROOM, page('zoe', 3), false)).memberList).toBeNull();
});
