// @vitest-environment jsdom
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { loadEmoji, recentEmoji, searchEmoji, rememberEmoji } from '../../src/emoji/emoji';
import { language } from '../../src/words/language.svelte';
import { nextPosition, type GridPosition } from '../../src/emoji/moving';

const first = async (query: string) => searchEmoji(await loadEmoji(), query, 8)[0]?.char;

beforeEach(async () => {
  localStorage.clear();
  await language.choose('en');
});

describe('the list', () => {
  test('contains each emoji once, with a unique name and shortcode', async () => {
    const list = await loadEmoji();
    const codes = list.flatMap(({ shortcodes }) => shortcodes);
    expect(list.length).toBeGreaterThan(1_800);
    expect(new Set(list.map(({ char }) => char)).size).toBe(list.length);
    expect(new Set(codes).size).toBe(codes.length);
    expect(list.filter(({ name, shortcodes }) => !name || shortcodes.length === 0)).toEqual([]);
  });

  test('contains them in Unicode’s fully qualified form', async () => {
    const chars = new Set((await loadEmoji()).map(({ char }) => char));
    for (const char of ['👍', '❤️', '👁️‍🗨️', '🇩🇪', '1️⃣']) expect(chars).toContain(char);
    expect(chars).not.toContain('👍\ufe0f');
    const recommended = new RegExp('^\\p{RGI_Emoji}$', 'v');
    expect([...chars].filter((char) => !recommended.test(char))).toEqual([]);
  });

  test('uses the language of the user', async () => {
    const english = await loadEmoji();
    await language.choose('de');
    const german = await loadEmoji();
    expect(german.map(({ char }) => char)).toEqual(english.map(({ char }) => char));
    expect(german.find(({ char }) => char === '👍')?.name).toBe('Daumen hoch');
    expect(await first('daumen ho')).toBe('👍');
    expect(await first('thumbsup')).toBe('👍');
  });
});

describe('searching', () => {
  test('finds by shortcode before name before tag', async () => {
    expect(await first('smile')).toBe('😄');
    expect(await first(':tada:')).toBe('🎉');
    expect(await first('+1')).toBe('👍');
    expect(await first('party_pop')).toBe('🎉');
    expect(await first('woman astronaut')).toBe('👩‍🚀');
  });

  test('an exact shortcode comes first, and the limit is kept', async () => {
    const list = await loadEmoji();
    for (const { char, shortcodes } of list.filter((_, index) => index % 20 === 0)) {
      expect(searchEmoji(list, shortcodes[0]!, 1).map((found) => found.char)).toEqual([char]);
    }
    expect(searchEmoji(list, '', 5)).toEqual(list.slice(0, 5));
    expect(searchEmoji(list, 'no such thing at all', 5)).toEqual([]);
  });
});

describe('recently used emoji', () => {
  test('are listed newest first, each once, at most sixteen', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...'😀😁😂🤣😃😄😅😆😉😊😋😎😍😘🥰😗😙🥲')), (chars) => {
        localStorage.clear();
        chars.forEach(rememberEmoji);
        expect(recentEmoji()).toEqual([...new Set(chars.toReversed())].slice(0, 16));
      }),
    );
  });

  test('survive a damaged stored value', () => {
    for (const kept of ['{', 'null', '{"a":1}', '[1,"😀"]']) {
      localStorage.setItem('hubbub.emoji', kept);
      expect(recentEmoji()).toEqual(kept.startsWith('[') ? ['😀'] : []);
    }
  });
});

describe('arrow keys in the picker', () => {
  const sizes = [3, 10, 8];
  const from = (group: number, index: number) => (key: string) => {
    const to = nextPosition({ group, index }, key, sizes, 4);
    return to && [to.group, to.index];
  };

  test('move within rows, between rows, and into the next group', () => {
    expect(from(0, 2)('Next')).toEqual([1, 0]);
    expect(from(1, 0)('Previous')).toEqual([0, 2]);
    expect(from(0, 1)('ArrowDown')).toEqual([1, 1]);
    expect(from(1, 7)('ArrowDown')).toEqual([1, 9]);
    expect(from(1, 9)('ArrowDown')).toEqual([2, 1]);
    expect(from(1, 3)('ArrowUp')).toEqual([0, 2]);
    expect(from(2, 1)('ArrowUp')).toEqual([1, 9]);
    expect(from(2, 7)('ArrowUp')).toEqual([2, 3]);
    expect(from(2, 0)('Home')).toEqual([0, 0]);
    expect(from(0, 0)('End')).toEqual([2, 7]);
  });

  test('stop at the ends', () => {
    expect(from(0, 0)('Previous')).toBe(null);
    expect(from(0, 1)('ArrowUp')).toBe(null);
    expect(from(2, 7)('Next')).toBe(null);
    expect(from(2, 5)('ArrowDown')).toBe(null);
    expect(from(2, 5)('a')).toBe(null);
  });

  test('every emoji can be reached', () => {
    let at: GridPosition | null = { group: 0, index: 0 };
    let count = 0;
    for (; at; at = nextPosition(at, 'Next', sizes, 4)) count += 1;
    expect(count).toBe(21);
  });
});
