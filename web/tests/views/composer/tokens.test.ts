import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { best, fit, isInCode, shortcodeAt, tokenAt } from '../../../src/views/composer/completion/tokens';

/** The token at `|`. */
function at(marked: string) {
  const caret = marked.indexOf('|');
  const token = tokenAt(marked.replace('|', ''), caret);
  return token && `${token.kind}:${token.query}`;
}

describe('finding the token at the caret', () => {
  test.each([
    ['@|', 'person:'],
    ['Hi @an|', 'person:an'],
    ['(@an|', 'person:an'],
    ['Grüß @jö|', 'person:jö'],
    ['@ana and @bo|, too', 'person:bo'],
    ['#|', 'room:'],
    ['see #tea-t|', 'room:tea-t'],
    [':ta|', 'emoji:ta'],
    ['fine :+1|', 'emoji:+1'],
    ['/|', 'command:'],
    ['/top|', 'command:top'],
    ['/topic| Tea', 'command:topic'],
    ['/invite @a|', 'person:a'],
  ])('%s', (marked, expected) => {
    expect(at(marked)).toBe(expected);
  });

  test.each([
    'ana@ex|',
    'https://example.org/@an|',
    'a#b|',
    '##|',
    '&#3|',
    '10:30|',
    'https:/|',
    ':t|',
    '::ab|',
    '@ana |',
    'say /me|',
    '//m|',
    '/usr/b|',
    '\n/me|',
    '`@an|',
    '``a ` @an|',
    '```\n@an|',
    '~~~py\n:smile|',
    '',
  ])('finds no token in %j', (marked) => {
    expect(at(marked)).toBe(null);
  });

  test.each([
    '`code` @an|',
    '```\ncode\n```\n@an|',
    '````\n```\n````\n@an|',
    '`never closed\n\n@an|',
    '```no``` fence @an|',
  ])('finds a token after code: %j', (marked) => {
    expect(at(marked)).toBe('person:an');
  });

  test('a whole shortcode ends at its second colon', () => {
    expect(shortcodeAt('so :tada:', 9)).toEqual({ kind: 'emoji', query: 'tada', start: 3, end: 9 });
    expect(shortcodeAt('so :tada', 8)).toBe(null);
    expect(shortcodeAt('std::vec:', 9)).toBe(null);
  });

  test('replaces exactly what was typed, whatever surrounds it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 120 }), fc.nat(), (text, n) => {
        const caret = n % (text.length + 1);
        const token = tokenAt(text, caret);
        if (!token) return;
        expect(token.end).toBe(caret);
        expect('@#:/').toContain(text[token.start]);
        expect(text.slice(token.start + 1, token.end)).toBe(token.query);
      }),
    );
  });

  test('a long text does not take longer', () => {
    const text = `${'`a` '.repeat(4_000)}@an`;
    expect(tokenAt(text, text.length)?.query).toBe('an');
    expect(isInCode('```\n'.repeat(4_001), 16_004)).toBe(true);
  });
});

describe('what fits', () => {
  test('a complete name ranks before its beginning, a word, a part, and letters in order', () => {
    expect(fit('ana', 'Ana')).toBe(0);
    expect(fit('an', 'ana')).toBe(1);
    expect(fit('love', 'Ana Lovelace')).toBe(2);
    expect(fit('lace', 'Ana Lovelace')).toBe(3);
    expect(fit('alv', 'Ana Lovelace')).toBe(4);
    expect(fit('z', 'Ana')).toBe(null);
    expect(fit('jo', 'Jörg')).toBe(1);
  });

  test('the best match comes first, and equal ones keep their order', () => {
    const names = ['banana', 'Bo An', 'Ana', 'an', 'Anton', 'Zoe'];
    expect(best(names, 'an', (name) => [name], 4)).toEqual(['an', 'Ana', 'Anton', 'Bo An']);
    expect(best(names, '', (name) => [name], 2)).toEqual(['banana', 'Bo An']);
  });
});
