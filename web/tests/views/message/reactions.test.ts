// @vitest-environment jsdom
/** Reactions as the user sees them, while they are being sent and where not everybody is listed. */

import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { Fields, Reaction } from '../../../src/data/wire/protocol';
import { toMessage, type Message } from '../../../src/data/state/state';
import { listFavourites, countReaction } from '../../../src/emoji/favourites';
import { eventually } from '../../support/eventually';

const { chat } = vi.hoisted(() => ({
  chat: { user: 'ana', request: vi.fn(), update: vi.fn(), listen: vi.fn() },
}));

vi.mock('../../../src/app/session/session.svelte', () => ({ session: { currentChat: chat } }));

const { reactionStore } = await import('../../../src/views/message/marks/reactions.svelte');

let seq = 0;

beforeEach(() => {
  seq += 1;
  localStorage.clear();
  chat.request.mockReset();
});

function message(reactions: Reaction[], rev = 1): Message {
  return toMessage({ room: 'tea', seq, rev: 1, by: 'bo', at: 1, marks_rev: rev, reactions });
}

const seen = (of: Message) =>
  reactionStore.of(of, 'ana').map(({ emoji, count, names, mine }) => [emoji, count, names, mine]);

describe('a reaction', () => {
  test('is shown at once, and then as the server sends it', async () => {
    let answer = (_: { rev: number }) => {};
    chat.request.mockReturnValue(new Promise((resolve) => (answer = resolve)));
    const before = message([['👍', 1, ['bo']]]);
    const done = reactionStore.toggle(before, '👍');
    await eventually(() => expect(chat.request).toHaveBeenCalled());
    expect(seen(before)).toEqual([['👍', 2, ['bo', 'ana'], true]]);
    answer({ rev: 2 });
    await done;
    expect(seen(before)).toEqual([['👍', 2, ['bo', 'ana'], true]]);
    // Somebody removed theirs in the meantime.
    expect(seen(message([['👍', 1, ['ana']]], 3))).toEqual([['👍', 1, ['ana'], true]]);
  });

  test('disappears when it is removed, with its chip if it was the last', async () => {
    chat.request.mockResolvedValue({ rev: 2 });
    const before = message([['👍', 1, ['ana']]]);
    await reactionStore.toggle(before, '👍');
    expect(chat.request).toHaveBeenCalledWith('react', { room: 'tea', seq, emoji: '👍', on: false });
    expect(seen(before)).toEqual([]);
  });

  test('disappears when it is refused', async () => {
    vi.spyOn(console, 'error').mockReturnValue();
    chat.request.mockRejectedValue(new Error('no'));
    const before = message([]);
    await reactionStore.toggle(before, '👍');
    expect(seen(before)).toEqual([]);
  });

  test('of one of many is fetched before it is toggled', async () => {
    const many = message([['👍', 30, ['bo', 'ce']]]);
    expect(seen(many)).toEqual([['👍', 30, ['bo', 'ce'], null]]);
    chat.request.mockImplementation(async (command: string, fields: Fields<'react'>) => {
      if (command === 'react') return { rev: fields.on ? 99 : 2 };
      return { reactions: [{ emoji: '👍', count: 30, names: ['bo', 'ce', 'ana'], mine: true }], people: [] };
    });
    await reactionStore.ask(many);
    expect(seen(many)).toEqual([['👍', 30, ['bo', 'ce', 'ana'], true]]);
    await reactionStore.toggle(many, '👍');
    expect(chat.request).toHaveBeenLastCalledWith('react', { room: 'tea', seq, emoji: '👍', on: false });
    // The next event does not list all names either, but it is known whether the user's is among them.
    expect(seen(message([['👍', 29, ['bo', 'ce']]], 2))).toEqual([['👍', 29, ['bo', 'ce'], false]]);
  });

  test('with all names listed needs no request', async () => {
    await reactionStore.ask(message([['👍', 1, ['bo']]]));
    expect(chat.request).not.toHaveBeenCalled();
  });
});

describe('the most used emoji', () => {
  test('come first, per account; the others keep their order', () => {
    const offered = listFavourites('ana');
    expect(offered).toHaveLength(8);
    for (const emoji of ['🦆', '🦆', '✅']) countReaction('ana', emoji);
    expect(listFavourites('ana')).toEqual(['🦆', '✅', ...offered.slice(0, 6)]);
    expect(listFavourites('bo')).toEqual(offered);
  });

  test('are counted again after a damaged stored value', () => {
    for (const kept of ['7', '{', '["x"]', 'null']) {
      localStorage.setItem('hubbub.reactions:ana', kept);
      expect(listFavourites('ana')).toHaveLength(8);
    }
  });
});
