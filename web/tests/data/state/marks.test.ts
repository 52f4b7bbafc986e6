/** Marks of a message, whatever else arrives before or after them. */

import { expect, test } from 'vitest';
import type { MarksEvent, Message as WireMessage, Reaction, ServerEvent } from '../../../src/data/wire/protocol';
import { onEvent } from '../../../src/data/state/reducer';
import { onJoined, onPage, onPageSent } from '../../../src/data/state/replies';
import { EARLY_MARKS_MAX, placeMarks } from '../../../src/data/state/segments';
import {
  findMessage,
  INITIAL,
  toMarks,
  toMessage,
  newest,
  type Message,
  type RoomState,
  type State,
} from '../../../src/data/state/state';

const ROOM = 'tea';
const LIKED: Reaction[] = [['👍', 1, ['bo']]];

/** A room as of `rev` with messages 1 to `count`. */
function joined(count: number, rev: number): State {
  const messages = Array.from({ length: count }, (_, index) => wireMessage(index + 1, index + 1));
  const room = { room: ROOM, kind: 'public' as const, title: 'Tea', seq: count, rev };
  return onJoined(INITIAL, { room, messages, people: [] }, 0);
}

function wireMessage(seq: number, rev: number, more: Partial<WireMessage> = {}): WireMessage {
  return { room: ROOM, seq, rev, by: 'ana', at: seq, text: `${seq}`, ...more };
}

function message(seq: number, rev: number, more: Partial<WireMessage> = {}): ServerEvent {
  return { on: 'message', ...wireMessage(seq, rev, more) };
}

function marks(seq: number, rev: number, more: Partial<MarksEvent> = {}): MarksEvent {
  return { on: 'marks', room: ROOM, seq, rev, reactions: LIKED, ...more };
}

function after(state: State, ...events: ServerEvent[]): State {
  return events.reduce((now, event) => onEvent(now, event, 0), state);
}

function tea(state: State): RoomState {
  return state.rooms.get(ROOM) as RoomState;
}

function at(state: State, seq: number): Message | null {
  return findMessage(tea(state), seq);
}

test('marks do not change the text, and count as a change of the room', () => {
  const state = after(joined(1, 1), marks(1, 2, { pinned: true, pinned_by: 'bo', replies: 2 }));
  expect(at(state, 1)).toMatchObject({
    text: '1',
    rev: 1,
    marks: { rev: 2, reactions: LIKED, pinned: true, pinnedBy: 'bo', replies: 2 },
  });
  expect(tea(state).have).toBe(2);
});

test('marks that arrive before their message wait for it', () => {
  const earlyMarks = after(joined(1, 1), marks(2, 3));
  expect(at(earlyMarks, 2)).toBeNull();
  const state = after(earlyMarks, message(2, 2));
  expect(at(state, 2)?.marks.reactions).toEqual(LIKED);
  expect(tea(state)).toMatchObject({ have: 3, earlyMarks: new Map() });
});

test('marks of a message far back are ignored', () => {
  const state = after(joined(1, 1), marks(9, 2));
  expect(tea(state)).toMatchObject({ have: 2, earlyMarks: new Map() });
});

test('an edit and marks may arrive in any order', () => {
  const edited = message(1, 3, { text: 'edited', marks_rev: 2, reactions: LIKED });
  const liked = marks(1, 2);
  const later = marks(1, 4, { reactions: [] });
  for (const events of [[liked, edited, later], [later, edited, liked], [edited, later, liked]]) {
    const state = after(joined(1, 1), ...events);
    expect(at(state, 1)).toMatchObject({ text: 'edited', rev: 3, marks: { rev: 4, reactions: [] } });
    expect(tea(state).have).toBe(4);
  }
});

test('a message that is sent again keeps newer marks', () => {
  const known = toMessage(wireMessage(1, 1, { marks_rev: 5, reactions: LIKED }));
  expect(newest(known, toMessage(wireMessage(1, 4, { text: 'edited' })))).toMatchObject({
    text: 'edited',
    marks: known.marks,
  });
  expect(newest(known, toMessage(wireMessage(1, 1)))).toBe(known);
});

test('a page of history brings newer marks', () => {
  const visited = onPage(
    onPageSent(joined(1, 1), ROOM),
    ROOM,
    { messages: [wireMessage(1, 1, { marks_rev: 4, replies: 1 })], people: [], more_before: false, more_after: false },
    'around',
  );
  expect(at(visited, 1)?.marks.replies).toBe(1);
});

test('a page that was read before the marks does not remove them', () => {
  const room = { room: ROOM, kind: 'public' as const, title: 'Tea', seq: 9, rev: 9 };
  const last = onJoined(INITIAL, { room, messages: [wireMessage(9, 9)], people: [] }, 0);
  const marked = after(onPageSent(last, ROOM), marks(8, 10));
  const page = { messages: [wireMessage(8, 8)], people: [], more_before: true, more_after: true };
  const state = onPage(marked, ROOM, page, 'before');
  expect(at(state, 8)?.marks.reactions).toEqual(LIKED);
  expect(tea(state).earlyMarks.size).toBe(0);
});

test('a deleted message has the marks that the deletion left', () => {
  const liked = after(joined(1, 1), marks(1, 2, { replies: 3 }));
  const gone = after(liked, message(1, 3, { text: '', deleted: true, marks_rev: 3, replies: 3 }));
  expect(at(gone, 1)?.marks).toMatchObject({ reactions: [], replies: 3 });
  expect(at(after(gone, marks(1, 2)), 1)?.marks.reactions).toEqual([]);
});

test('if too many marks are waiting, they are synced', () => {
  const room = tea(joined(1, 1));
  const earlyMarks = new Map(
    Array.from({ length: EARLY_MARKS_MAX }, (_, index) => [index + 3, toMarks(marks(0, 9), 9)]),
  );
  expect(placeMarks({ ...room, earlyMarks }, 2, toMarks(marks(2, 9), 9))).toBeNull();
});

test('being removed from a room also removes its threads', () => {
  const thread = {
    room: 'tea.1', kind: 'public' as const, title: '', parent: ROOM, parent_seq: 1, seq: 0, rev: 0,
  };
  const state = onJoined(joined(1, 1), { room: thread, messages: [], people: [] }, 0);
  expect(state.rooms.get('tea.1')).toMatchObject({ parent: ROOM, parentSeq: 1 });
  const left = after(state, { on: 'removed', room: ROOM, rev: 1, reason: 'left' });
  expect([...left.rooms.keys()]).toEqual([]);
  const unfollowed = after(state, { on: 'removed', room: 'tea.1', rev: 1, reason: 'left' });
  expect([...unfollowed.rooms.keys()]).toEqual([ROOM]);
});

test('bookmarks and drafts count as changes of the user’s rev', () => {
  const state = after(
    joined(1, 1),
    { on: 'bookmark', rev: 1, room: ROOM, seq: 1 },
    { on: 'draft', rev: 3, room: ROOM, text: 'so' },
  );
  expect([state.myRev, state.myHead]).toEqual([1, 3]);
});
