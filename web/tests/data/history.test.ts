// Pages of history that arrive after the user has navigated elsewhere.
import { beforeEach, describe, expect, test } from 'vitest';
import { History } from '../../src/data/history';
import type { Fields, Message as WireMessage, MyRoom, Page } from '../../src/data/wire/protocol';
import { onEvent } from '../../src/data/state/reducer';
import { onOpened } from '../../src/data/state/replies';
import { INITIAL, toRoomState, shownSegment, type State } from '../../src/data/state/state';

const ROOM = 'tea';
const LAST = 400;

const message = (seq: number): WireMessage => ({
  room: ROOM, seq, rev: seq, by: 'bo', at: seq, text: `${seq}`,
});

const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);

/** A room with its newest page, and a server that answers on request. */
class Reader {
  state: State;
  #answers: { fields: Fields<'history'>; give: (page: Page) => void }[] = [];
  readonly history = new History(this, {
    page: (fields) => new Promise((give) => this.#answers.push({ fields, give })),
    stored: () => Promise.resolve([]),
    arrived: () => undefined,
  });

  constructor() {
    const wire: MyRoom = { room: ROOM, kind: 'public', title: 'Tea', role: 'member', seq: LAST - 60, rev: LAST - 60 };
    const room = { ...toRoomState(wire, 0), have: LAST - 60, catchUp: 'none' as const };
    this.state = onOpened({ ...INITIAL, rooms: new Map([[ROOM, room]]) }, [ROOM]);
  }

  update(how: (state: State) => State): void {
    this.state = how(this.state);
  }

  /** Answers the first request, or a later one. */
  async answer(which = 0): Promise<void> {
    const [asked] = this.#answers.splice(which, 1);
    if (!asked) throw new Error('Nothing was asked.');
    const { before, after, around, limit = 60 } = asked.fields;
    const from = before ? before - limit : after ? after + 1 : around ? around - 30 : LAST - limit - 59;
    const to = before ? before - 1 : Math.min(LAST - 60, from + limit - 1);
    asked.give({
      messages: range(Math.max(1, from), to).map(message),
      people: [],
      more_before: from > 1,
      more_after: to < LAST - 60,
    });
    await new Promise((resolve) => setTimeout(resolve));
  }

  get waiting(): number {
    return this.#answers.length;
  }

  get seqs(): number[] {
    const room = this.state.rooms.get(ROOM);
    return room ? shownSegment(room).messages.map(({ seq }) => seq) : [];
  }
}

let reader: Reader;

beforeEach(async () => {
  reader = new Reader();
  void reader.history.latest(ROOM);
  await reader.answer();
  expect(reader.seqs).toEqual(range(281, 340));
});

describe('a late page of history', () => {
  test('leaves no gap in the latest messages if the user has left its place', async () => {
    void reader.history.around(ROOM, 100);
    await reader.answer();
    void reader.history.older(ROOM);
    await reader.history.latest(ROOM);
    await reader.answer();
    expect(reader.seqs).toEqual(range(281, 340));
  });

  test('leaves no gap in another detached range', async () => {
    void reader.history.around(ROOM, 200);
    await reader.answer();
    void reader.history.newer(ROOM);
    void reader.history.around(ROOM, 100);
    await reader.answer(1);
    await reader.answer();
    expect(reader.seqs).toEqual(range(70, 129));
  });

  test('does not replace the latest messages', async () => {
    void reader.history.around(ROOM, 100);
    await reader.history.latest(ROOM);
    await reader.answer();
    expect(reader.seqs).toEqual(range(281, 340));
  });

  test('does not replace the result of a later request', async () => {
    void reader.history.around(ROOM, 100);
    void reader.history.around(ROOM, 200);
    await reader.answer(1);
    await reader.answer();
    expect(reader.seqs).toEqual(range(170, 229));
  });

  test('leaves no detached range in a closed room', async () => {
    void reader.history.around(ROOM, 100);
    reader.update((state) => onOpened(state, []));
    await reader.answer();
    reader.update((state) => onOpened(state, [ROOM]));
    expect(reader.seqs).toEqual(range(281, 340));
    reader.update((state) => onEvent(state, { on: 'message', ...message(341) }, 0));
    expect(reader.seqs.at(-1)).toBe(341);
  });
});

test('a repeated request waits for the same page', async () => {
  const done: number[] = [];
  void reader.history.around(ROOM, 100).then(() => done.push(1));
  void reader.history.around(ROOM, 100).then(() => done.push(2));
  expect(reader.waiting).toBe(1);
  await Promise.resolve();
  expect(done).toEqual([]);
  await reader.answer();
  expect(done).toEqual([1, 2]);
  expect(reader.seqs).toEqual(range(70, 129));
});
