// @vitest-environment jsdom
import { beforeAll, describe, expect, test } from 'vitest';
import type { Message as WireMessage } from '../../../src/data/wire/protocol';
import { INITIAL, toMessage, toRoomState, type State } from '../../../src/data/state/state';
import { findMassMention } from '../../../src/views/composer/massMention';
import { toQuote } from '../../../src/views/lists/saved/actions';
import { withLatest, mergePage, type ListedMention } from '../../../src/views/lists/mentions/mentionList.svelte';

const wireMessage = (seq: number, more: Partial<WireMessage> = {}) =>
  toMessage({ room: 'tea', seq, rev: seq, by: 'bo', at: seq, text: '@ana', mentions: ['ana'], ...more });
const mentioned = (seq: number, more: Partial<WireMessage> = {}): ListedMention => ({
  message: wireMessage(seq, more),
  unread: true,
});
const seqs = (list: readonly ListedMention[] | null) => list?.map(({ message }) => message.seq);

describe('mass mentions', () => {
  test.each([
    ['lunch, @room!', 'room'],
    ['@Here?', 'here'],
    ['@here and @room', 'room'],
    ['> @room\n\nno', null],
    ['me@room.example, @roomy, @room-7', null],
  ])('%s', (text, call) => {
    expect(findMassMention(text)).toBe(call);
  });
});

test('a quote has its sign on every line, and an empty line below', () => {
  expect(toQuote('a\n\nb\n')).toBe('> a\n> \n> b\n\n');
});

describe('the list of mentions', () => {
  let state: State;

  beforeAll(() => {
    const room = toRoomState({ room: 'tea', kind: 'public', title: 'Tea', seq: 9, read_seq: 4, role: 'member' }, 1);
    const live = { start: false, messages: [wireMessage(5, { rev: 20, deleted: true }), wireMessage(6, { rev: 21, mentions: [] })] };
    state = { ...INITIAL, rooms: new Map([['tea', { ...room, live }]]) };
  });

  test('continues from a newer page if the two overlap', () => {
    const before = [4, 3, 2].map((seq) => mentioned(seq));
    expect(seqs(mergePage([6, 5, 4].map((seq) => mentioned(seq)), before))).toEqual([6, 5, 4, 3, 2]);
    expect(mergePage([9, 8].map((seq) => mentioned(seq)), before)).toBeNull();
  });

  test('shows the remaining ones, and whether they have been read', () => {
    const list = withLatest(state, [7, 6, 5, 4].map((seq) => mentioned(seq)), 'ana');
    expect(seqs(list)).toEqual([7, 4]);
    expect(list.map(({ unread }) => unread)).toEqual([true, false]);
    expect(withLatest(state, [mentioned(8, { by: 'ana' })], 'ana')).toEqual([]);
    expect(seqs(withLatest(state, [mentioned(8, { mentions: ['@room'] })], 'ana'))).toEqual([8]);
  });
});
