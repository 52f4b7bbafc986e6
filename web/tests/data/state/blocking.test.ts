/** What the state keeps about who added the user to a room, and about blocks. */

import { expect, test } from 'vitest';
import type { MyRoom } from '../../../src/data/wire/protocol';
import { withMyRoom, onEvent } from '../../../src/data/state/reducer';
import { INITIAL, type State } from '../../../src/data/state/state';

const ME = { name: 'ana', display_name: 'Ana', role: 'member' as const };
const PARTY: MyRoom = { room: 'party', kind: 'public', title: 'Party', role: 'member' };

const start: State = { ...INITIAL, me: ME, myRev: 1, myHead: 1 };
const addedBy = (state: State) => state.rooms.get('party')?.addedBy;

test('a room says who added the user until the user stays, whatever else changes', () => {
  let state = onEvent(start, { on: 'me', rev: 2, room: { ...PARTY, added_by: 'maya' } }, 0);
  expect(addedBy(state)).toBe('maya');
  state = onEvent(state, { on: 'room', room: 'party', rev: 1, title: 'Big party' }, 0);
  state = onEvent(state, { on: 'me', rev: 3, room: { ...PARTY, added_by: 'maya', notify: 'none' } }, 0);
  expect(addedBy(state)).toBe('maya');
  state = onEvent(state, { on: 'me', rev: 4, room: PARTY }, 0);
  expect(addedBy(state)).toBeNull();
  // An older state arrives late and changes nothing.
  state = withMyRoom(state, { ...PARTY, added_by: 'maya' }, 3);
  expect(addedBy(state)).toBeNull();
});

test('a room that the user joined says nobody', () => {
  expect(addedBy(withMyRoom(start, PARTY, 2))).toBeNull();
});

test('a block is a change of the user’s rev: the next one continues it, and a gap is noticed', () => {
  let state = onEvent(start, { on: 'block', rev: 2, user: 'maya' }, 0);
  expect([state.myRev, state.myHead]).toEqual([2, 2]);
  state = onEvent(state, { on: 'block', rev: 4, user: 'maya', gone: true }, 0);
  expect([state.myRev, state.myHead]).toEqual([2, 4]);
});
