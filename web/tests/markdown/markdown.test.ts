// @vitest-environment jsdom
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { loadEmoji } from '../../src/emoji/emoji';
import { parse as lexed } from '../../src/markdown/parsing/parse';
import { Reading, readingOf } from '../../src/markdown/parsing/reading';
import { isOnlyEmoji, isPlain, pieces, plain, trimText, hideSpoilers } from '../../src/markdown/parsing/plain';
import type { Block, Inline } from '../../src/markdown/parsing/tree';

const TEXT_MAX = 16_000;
/** The whole text in one run. */
const parse = (text: string): Block[] =>
  new Reading(text).steps(Infinity).flatMap(({ blocks }) => blocks);
// As the server cleans it (`hubbub/model/messages.py`): no control characters except tab and line feed.
const clean = (text: string) => text.replace(/[\0-\x08\x0b-\x1f\x7f-\x9f]/g, '');

/** All text of a tree, in order. */
function shownBy(tree: readonly (Block | Inline)[]): string {
  return tree
    .map((one): string => {
      if ('text' in one) return one.text;
      if ('children' in one) return shownBy(one.children);
      if ('inlines' in one) return shownBy(one.inlines);
      if ('blocks' in one) return shownBy(one.blocks);
      if (one.is === 'list') return one.items.map((item) => shownBy(item.blocks)).join('');
      if (one.is === 'table') return [one.header, ...one.rows].flat().map(shownBy).join('');
      return '';
    })
    .join('');
}

const paragraphs = (text: string): Block[] =>
  plain(text).map((inlines) => ({ is: 'paragraph', inlines }));
const inlines = (text: string): Inline[] => {
  const [first] = parse(text);
  return first?.is === 'paragraph' ? first.inlines : [];
};
const links = (text: string) =>
  inlines(text).flatMap((one) => ('href' in one ? [[shownBy([one]), one.href]] : []));

describe('text without markup', () => {
  // Parts without markup, parts with markup, and parts that depend on their neighbours.
  const piece = fc.constantFrom(
    ...['a', 'Ä', '1', '.', ')', '1.', '1)', ' ', '  ', '\t', '\n', '\n\n', '\u00a0', '\u2028'],
    ...['-', '--', '---', '+', '=', '===', '#', '##', '#lobby', '@ana', '@', '~', '~~', ':', ':-'],
    ...['*', '**', '_', '__', 'a_b', '`', '```', '\\', '[', ']', '(', '!', '|', '>', '<', '</', '&amp;', '&#65;'],
    ...['https://a.b/c_d', 'http://', 'HTTPS://A.B', 'https://x.y/*z*?a=1&b=2#_c', 'www.a.b', 'ftp://a.b'],
    ...['a@b.de', 'mailto:', '<b>', '👍', '\u0301', '"', "'", '…', '中文', 'שלום', '[x]', 'https://x.y/(z)'],
  );
  const text = fc.oneof(
    { weight: 3, arbitrary: fc.array(piece, { maxLength: 12 }).map((parts) => parts.join('')) },
    fc.string({ unit: 'grapheme', maxLength: 40 }),
    fc.string({ unit: 'binary', maxLength: 20 }),
  );

  test('is the same with and without the parser', () => {
    let plainOnes = 0;
    fc.assert(
      fc.property(text.map(clean), (one) => {
        if (!isPlain(trimText(one)) || trimText(one) === '') return;
        plainOnes += 1;
        expect(lexed(one).blocks).toEqual(paragraphs(one));
      }),
      { numRuns: 5_000 },
    );
    expect(plainOnes).toBeGreaterThan(500);
  });

  test('includes ordinary messages', () => {
    for (const one of [
      'Morning! The release candidate is up, please give it a spin before lunch.',
      'first line\nsecond line\n\nanother paragraph',
      'see https://example.org/wiki/Foo_(bar)?a=1&b=_2#x, ok? :-)',
      '@ana look at #lobby, it’s 5 > 4 & <3 -- snake_case_name (really!) | "quoted"',
      '-5 degrees; #1; 3.14; v1.2; a+b=c',
    ]) {
      expect(isPlain(one), one).toBe(true);
      expect(lexed(one).blocks).toEqual(paragraphs(one));
    }
  });

  test.each(['*a*', '_a_', '||a||', '# a', '- a', '1. a', '> a', '`a`', '[a](b)', '    a', '~~a~~', '<http://a.b>', 'a\n|-|'])(
    'is not %j',
    (one) => expect(isPlain(one)).toBe(false),
  );
});

describe('addresses, people and rooms', () => {
  test.each([
    ['https://a.b/c.', 'https://a.b/c'],
    ['(https://a.b/c)', 'https://a.b/c'],
    ['https://a.b/c_(d)', 'https://a.b/c_(d)'],
    ['“https://a.b/?q=1&r=%20#f”!', 'https://a.b/?q=1&r=%20#f'],
    ['„https://a.b/c“ …', 'https://a.b/c'],
    ['**https://a.b/**', 'https://a.b/'],
    ['https://a.b/*c*', 'https://a.b/*c'],
    ['www.example.org,', 'http://www.example.org'],
    ['write to ana.b+c@example.org.', 'mailto:ana.b+c@example.org'],
    ['<https://a.b/c d', null],
    ['http://', null],
    ['xwww.example.org', null],
    ['ftp://a.b', null],
  ])('%j leads to %j', (text, href) => {
    const flat = (some: Inline[]): Inline[] =>
      some.flatMap((one) => ('children' in one ? flat(one.children) : [one]));
    const found = flat(inlines(text)).find((one) => one.is === 'address');
    if (text.startsWith('<')) expect(found?.href).toBe('https://a.b/c');
    else expect(found?.href ?? null).toBe(href);
  });

  test.each([
    ['@ana', 'ana'],
    ['hi @Ana.', 'ana'],
    ['(@ana-b.c_d)', 'ana-b.c_d'],
    ['**@ana**', 'ana'],
    ['@Straße', 'strasse'],
    ['@ＡＮＡ', 'ana'],
    ['a@ana', null],
    ['@@ana', null],
    ['/@ana', null],
    ['.@ana', null],
    ['`@ana`', null],
    ['@_ana', null],
    ['[@ana](https://a.b)', null],
  ])('%j names %j', (text, name) => {
    const flat = (some: Inline[]): Inline[] =>
      some.flatMap((one) => ('children' in one ? flat(one.children) : [one]));
    const found = flat(inlines(text)).find((one) => one.is === 'mention');
    expect(found?.name ?? null).toBe(name);
  });

  test('a room is a separate word', () => {
    expect(pieces('#lobby, (#Dev-2)')).toEqual([
      { is: 'room', text: '#lobby', room: 'lobby' },
      { is: 'text', text: ', (' },
      { is: 'room', room: 'dev-2', text: '#Dev-2' },
      { is: 'text', text: ')' },
    ]);
    expect(pieces('a#lobby ##lobby /#lobby #lobby_x &#65;')).toHaveLength(1);
  });

  test('no part of a text is lost or repeated', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(shownBy(pieces(text))).toBe(text);
      }),
    );
  });
});

describe('markup', () => {
  test('becomes a tree', () => {
    expect(inlines('**a** *b* ~~c~~ `d`\ne')).toEqual([
      { is: 'strong', children: [{ is: 'text', text: 'a' }] },
      { is: 'text', text: ' ' },
      { is: 'em', children: [{ is: 'text', text: 'b' }] },
      { is: 'text', text: ' ' },
      { is: 'del', children: [{ is: 'text', text: 'c' }] },
      { is: 'text', text: ' ' },
      { is: 'code', text: 'd' },
      { is: 'text', text: '\ne' },
    ]);
    expect(parse('# a\n```js {1}\nb\n```\n> c\n\n---')).toMatchObject([
      { is: 'heading', level: 1 },
      { is: 'code', language: 'js', text: 'b' },
      { is: 'quote', blocks: [{ is: 'paragraph' }] },
      { is: 'rule' },
    ]);
    expect(parse('3. a\n4. b\n   - [x] c\n   - [ ] d')).toMatchObject([
      {
        is: 'list',
        start: 3,
        items: [
          { done: null },
          { blocks: [{}, { is: 'list', start: null, items: [{ done: true }, { done: false }] }] },
        ],
      },
    ]);
    expect(parse('|a|b|\n|:-:|-|\n|c|*d*|')).toMatchObject([
      { is: 'table', align: ['center', null], header: [[{ text: 'a' }], [{ text: 'b' }]] },
    ]);
  });

  test('text between || and || is a spoiler', () => {
    const spoiler = (...children: Inline[]): Inline => ({ is: 'spoiler', children });
    const asText = (text: string): Inline => ({ is: 'text', text });
    expect(inlines('a ||b **c** `d||e`|| f ||g||')).toEqual([
      asText('a '),
      spoiler(asText('b '), { is: 'strong', children: [asText('c')] }, asText(' '), { is: 'code', text: 'd||e' }),
      asText(' f '),
      spoiler(asText('g')),
    ]);
    expect(inlines('**||a||**')).toEqual([{ is: 'strong', children: [spoiler(asText('a'))] }]);
    expect(inlines('|| a\nb ||')).toEqual([spoiler(asText(' a\nb '))]);
    expect(inlines('||https://a.b/c||')).toMatchObject([spoiler({ is: 'address' } as Inline)]);
    expect(parse('- ||@ana||')).toMatchObject([
      { items: [{ blocks: [{ inlines: [{ is: 'spoiler', children: [{ is: 'mention' }] }] }] }] },
    ]);
  });

  test.each(['||', '||||', '|| ||', '||a', 'a|b|c', '`||a||`', '\\||a||', '[||a||](https://a.b)', '**||a**||'])(
    '%j is no spoiler',
    (text) => expect(JSON.stringify(parse(text))).not.toContain('spoiler'),
  );

  test('a table with too many cells stays text', () => {
    const table = (columns: number, rows: number) =>
      parse(`${'a|'.repeat(columns)}\n${'-|'.repeat(columns)}\n${'b\n'.repeat(rows)}`)[0]?.is;
    expect(table(10, 20)).toBe('table');
    expect(table(400, 6_000)).toBe('paragraph');
  });

  test('a line of dashes is a rule and never a heading', () => {
    expect(parse('a\n---\nb').map(({ is }) => is)).toEqual(['paragraph', 'rule', 'paragraph']);
  });

  test('HTML, entities and definitions are shown as typed', () => {
    for (const text of [
      '<script>alert(1)</script>',
      '<img src=x onerror=alert(1)>',
      'a <b>c</b> &amp; &lt; &#65; &#x41;',
      '<!-- a -->',
      '<style>*{}</style>\n\n<iframe src="https://a.b">',
      '[a]: javascript:alert(1)',
      '<div>\n\n</div>',
    ]) {
      expect(shownBy(parse(text)).replace(/\s/g, '')).toBe(text.replace(/\s/g, ''));
    }
  });

  test('only http, https, mailto and this server’s own paths are links', () => {
    expect(links('[a](https://a.b)')).toEqual([['a', 'https://a.b']]);
    expect(links('[a](MAILTO:a@b.c)')).toEqual([['a', 'MAILTO:a@b.c']]);
    expect(links('[a](/rooms/lobby/3)')).toEqual([['a', '/rooms/lobby/3']]);
    for (const href of [
      'javascript:alert(1)',
      'JaVaScRiPt:alert(1)',
      '&#106;avascript:alert(1)',
      'java\tscript:alert(1)',
      'data:text/html,a',
      'vbscript:a',
      'file:///etc/passwd',
      '//evil.example',
      '/\\evil.example',
      'example.org',
      'https://',
    ]) {
      expect(links(`[a](<${href}>)`), href).toEqual([]);
      expect(shownBy(parse(`[a](<${href}>)`))).toBe(`[a](<${href}>)`);
    }
  });

  test('an image becomes a link, so that nothing is fetched from another host', () => {
    expect(links('![a cat](https://a.b/c.png)')).toEqual([['a cat', 'https://a.b/c.png']]);
    expect(links('![](https://a.b/c.png)')).toEqual([
      ['https://a.b/c.png', 'https://a.b/c.png'],
    ]);
  });

  test('a label that is an address shows where the link leads', () => {
    expect(links('[https://bank.example](https://evil.example)')).toEqual([
      ['https://evil.example', 'https://evil.example'],
    ]);
  });

  test('the same text is parsed once', () => {
    expect(readingOf('*once*')).toBe(readingOf('*once*'));
    for (let n = 0; n < 500; n += 1) readingOf(`*${n}*`);
    expect(readingOf('*499*')).toBe(readingOf('*499*'));
  });
});

describe('where the source of a text is shown', () => {
  test.each([
    ['a ||b|| c ||d\ne|| f', 'a ▒▒▒ c ▒▒▒ f'],
    ['`a || b || c` or ||d||', '`a || b || c` or ▒▒▒'],
    ['\\` ||a|| `', '\\` ▒▒▒ `'],
    ['`` ||a|| ``', '`` ▒▒▒ ``'],
    ['||a', '||a'],
    ['||||a||||', '▒▒▒||'],
  ])('what %j hides stays hidden', (text, veil) => expect(hideSpoilers(text)).toBe(veil));

  test('and announcements replace it by a word', () => {
    expect(hideSpoilers('a ||b||', '(spoiler)')).toBe('a (spoiler)');
  });
});

describe('hostile text', () => {
  const specials = [...'!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~\t'];
  const bombs = specials.flatMap((char) => [
    char.repeat(TEXT_MAX),
    `${char} `.repeat(TEXT_MAX / 2),
    `${char}\n`.repeat(TEXT_MAX / 2),
    `${char}a`.repeat(TEXT_MAX / 2),
    `${char}${char}a `.repeat(TEXT_MAX / 4),
  ]);
  const halves = (open: string, close: string) => {
    const times = TEXT_MAX / (open.length + close.length);
    return open.repeat(times) + close.repeat(times);
  };
  const more = [
    ...['[a](b', '![a](', '||a', '||a|| ', '|| ', '||\n', '[[a](b)', '[*a*](b)', '**a *b ~~c ', '***a**b*c', '- a\n\n', '* - + ', '>- '],
    ...['`a``b', '|a', '```a\n', '<a href="', '<!--', 'https://', 'www.', 'a@', 'a@b.', '[a]:', '\\*', '&#', '1. '],
  ].map((one) => one.repeat(TEXT_MAX / one.length));
  const nested = [
    halves('*a ', 'b* '),
    halves('**a ', 'b** '),
    halves('~a ', 'b~ '),
    halves('_(a ', 'b)_ '),
    halves('[', '](a)'),
    halves('(', ')'),
    `[a](${halves('(', ')')}`,
    `https://a.b/${')'.repeat(TEXT_MAX)}`,
    `a\n${'|-'.repeat(TEXT_MAX / 2)}x`,
    `${'a|'.repeat(999)}\n${'-|'.repeat(999)}\n${'b\n'.repeat(6_000)}`,
    halves('||a ', 'b|| '),
    `a\n${'- '.repeat(TEXT_MAX / 2)}x`,
    `a${' '.repeat(TEXT_MAX)}b`,
    `\n${' '.repeat(TEXT_MAX)}a`,
    Array.from({ length: 170 }, (_, depth) => `${' '.repeat(depth)}- a`).join('\n'),
    Array.from({ length: 170 }, (_, depth) => `${'>'.repeat(depth)} a`).join('\n'),
  ];

  test('is parsed completely, with limited nesting', () => {
    const depthOf = (one: unknown): number =>
      typeof one === 'object' && one !== null ? 1 + Math.max(0, ...Object.values(one).map(depthOf)) : 0;
    for (const text of [...bombs, ...more, ...nested]) {
      expect(depthOf(parse(text)), text.slice(0, 20)).toBeLessThan(120);
    }
  }, 60_000);

  test('loses no character', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...specials, 'a', 'b', ' ', '\n', '1.', '- ', '> ', '<b>'), { maxLength: 40 }),
        (parts) => {
          const text = parts.join('');
          const letters = (some: string) => some.match(/[ab]/g)?.length ?? 0;
          // The tree does not show the language of code, nor the target or title of a link.
          fc.pre(!/```|~~~|\]\(/.test(text));
          expect(letters(shownBy(parse(text)))).toBe(letters(text));
        },
      ),
    );
  });
});

describe('only emoji', () => {
  test.each(['👍', '👍🏽 👨‍👩‍👧', '❤️', '🇩🇪🇫🇷', '1️⃣', '👍👍👍👍👍👍', '🏴󠁧󠁢󠁥󠁮󠁧󠁿'])('%s', (text) =>
    expect(isOnlyEmoji(text)).toBe(true),
  );
  test.each(['', 'a', '1', '12', '#', '©', '👍 ok', '👍👍👍👍👍👍👍', '❤', ' '])('not %j', (text) =>
    expect(isOnlyEmoji(text)).toBe(false),
  );
  test('covers every emoji of the picker', async () => {
    expect((await loadEmoji()).filter(({ char }) => !isOnlyEmoji(char))).toEqual([]);
  });
});
