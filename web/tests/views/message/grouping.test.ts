import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { groupRows, NO_ROWS, type GroupingContext, type TimelineEntry } from '../../../src/views/message/grouping';
import type { Pending } from '../../../src/data/storage/outbox';
import { toMessage, type Message } from '../../../src/data/state/state';

const NOON = new Date(2025, 10, 25, 12).getTime();
const MINUTE = 60_000;

function message(seq: number, by: string, at: number, more: Partial<Message> = {}): Message {
  return { ...toMessage({ room: 'tea', seq, rev: seq, by, at, text: `m${seq}` }), ...more };
}

function pending(nonce: string, at: number): Pending {
  const draft = { room: 'tea', text: nonce, kind: 'text', replyTo: null } as const;
  return { ...draft, nonce, at, failed: null, sent: false };
}

const around = (more: Partial<GroupingContext> = {}): GroupingContext => ({
  me: 'ana',
  newAfter: null,
  written: new Set(),
  ...more,
});

const heads = (entries: TimelineEntry[], more: Partial<GroupingContext> = {}) =>
  groupRows(entries, around(more)).list.map((row) => row.head);

describe('messages are grouped', () => {
  test('if they are by one author within five minutes', () => {
    const at = NOON;
    expect(
      heads([
        message(1, 'ana', at),
        message(2, 'ana', at + 5 * MINUTE),
        message(3, 'ana', at + 10 * MINUTE + 1),
        message(4, 'bo', at + 11 * MINUTE),
      ]),
    ).toEqual([true, false, true, true]);
  });

  test('but not across midnight, which has a line', () => {
    const before = new Date(2025, 10, 25, 23, 59).getTime();
    const { list } = groupRows(
      [message(1, 'ana', before), message(2, 'ana', before + 2 * MINUTE)],
      around(),
    );
    expect(list.map((row) => [row.day, row.head])).toEqual([
      [true, true],
      [true, true],
    ]);
  });

  test('replies and actions are not grouped', () => {
    const at = NOON;
    expect(
      heads([
        message(1, 'ana', at),
        message(2, 'ana', at, { replyTo: 1 }),
        message(3, 'ana', at, { kind: 'me' }),
        message(4, 'ana', at),
      ]),
    ).toEqual([true, true, true, true]);
  });

  test('and the last row of a group is marked', () => {
    const rows = groupRows(
      [message(1, 'ana', NOON), message(2, 'ana', NOON), message(3, 'bo', NOON)],
      around(),
    );
    expect(rows.list.map((row) => row.tail)).toEqual([false, true, true]);
  });

  test('a server clock that was set back does not start a new day', () => {
    const at = new Date(2025, 10, 25, 0, 1).getTime();
    const { list } = groupRows([message(1, 'ana', at), message(2, 'bo', at - 5 * MINUTE)], around());
    expect(list.map((row) => row.day)).toEqual([true, false]);
  });
});

describe('the line "New"', () => {
  const three = [message(4, 'bo', NOON), message(5, 'bo', NOON), message(6, 'bo', NOON)];
  const first = (newAfter: number | null, entries: TimelineEntry[] = three) =>
    groupRows(entries, around({ newAfter })).list.findIndex((row) => row.isNew);

  test('is before the first unread message, which shows its author again', () => {
    expect(first(4)).toBe(1);
    expect(heads(three, { newAfter: 4 })).toEqual([true, true, false]);
  });

  test('does not exist if everything is read, or if its place is not loaded', () => {
    expect(first(null)).toBe(-1);
    expect(first(6)).toBe(-1);
    expect(first(1)).toBe(-1);
    expect(first(3)).toBe(0);
  });
});

describe('pending messages', () => {
  test('keep their row when the server has them', () => {
    const way = groupRows([message(1, 'bo', NOON), pending('n1', NOON + 1)], around());
    const here = groupRows(
      [message(1, 'bo', NOON), message(2, 'ana', NOON + 2, { nonce: 'n1' })],
      around({ written: new Set(['n1']) }),
      way,
    );
    expect(here.list.map((row) => row.key)).toEqual(way.list.map((row) => row.key));
  });

  test('nonces of others are not used as keys, since they may be the same', () => {
    const { list } = groupRows(
      [message(1, 'bo', NOON, { nonce: 'n1' }), message(2, 'ana', NOON, { nonce: 'n1' })],
      around(),
    );
    expect(list.map((row) => row.key)).toEqual([1, 2]);
  });

  test('never have an earlier time than the row above, however wrong the clock is', () => {
    const { list } = groupRows([message(1, 'ana', NOON), pending('n1', NOON - 86_400_000)], around());
    expect(list[1]).toMatchObject({ at: NOON, day: false, head: false });
  });
});

describe('a new message', () => {
  test('keeps all row objects except the one above it', () => {
    const old = [1, 2, 3, 4].map((seq) => message(seq, 'ana', NOON));
    const before = groupRows(old, around());
    const after = groupRows([...old, message(5, 'ana', NOON)], around(), before);
    expect(after.list.slice(0, 3)).toEqual(before.list.slice(0, 3));
    for (const index of [0, 1, 2]) expect(after.list[index]).toBe(before.list[index]);
    expect(after.list[3]).not.toBe(before.list[3]);
  });

  test('or any other change results in the same rows as grouping from scratch', () => {
    const entry = fc.record({
      by: fc.constantFrom('ana', 'bo'),
      minutes: fc.integer({ min: 0, max: 9 }),
      kind: fc.constantFrom('text' as const, 'me' as const),
    });
    const steps = fc.array(
      fc.record({
        from: fc.integer({ min: 0, max: 8 }),
        to: fc.integer({ min: 8, max: 20 }),
        newAfter: fc.option(fc.integer({ min: 0, max: 20 })),
      }),
      { maxLength: 6 },
    );
    fc.assert(
      fc.property(fc.array(entry, { minLength: 20, maxLength: 20 }), steps, (made, changes) => {
        let at = NOON;
        const all = made.map(({ by, minutes, kind }, index) => {
          at += minutes * MINUTE;
          return message(index + 1, by, at, { kind });
        });
        let rows = NO_ROWS;
        for (const { from, to, newAfter } of changes) {
          const shown = all.slice(from, to);
          rows = groupRows(shown, around({ newAfter }), rows);
          expect(rows.list).toEqual(groupRows(shown, around({ newAfter })).list);
        }
      }),
    );
  });
});
