/**
 * Texts that have frozen clients, here or elsewhere; for the tests that count and for `make bench-web`.
 */

export const TEXT_MAX = 16_000;

/** The special characters of Markdown, and others that a text may have many of. */
const BITS = [
  ...['*', '**', '***', '_', '__', '_a', '*a ', 'b* ', '~', '~~', '`', '``', '```', '```\n', '~~~\n'],
  ...['[', ']', '(', ')', '](', '](a)', '![', '[a]: ', '||', '|', '|a', '|-', 'a|b\n', '-|-\n'],
  ...['> ', '>', '> a\n', '- ', '- a\n', '- [ ] ', '+ ', '1. ', '# ', '#', '---', '===', '=', '-'],
  ...['\n', '\n\n', '  \n', '    ', '\t', '\\', '&', '&#65;', '&amp;', '<', '<b>', '<br>', '<!--', '</'],
  ...['<a@b.c>', '<http://a>', 'http://', 'https://a.b/', 'www.', 'a@b.c', 'a@', '@a ', '#a ', 'a', 'a '],
  ...['é', '中', '👍', '"', "'", '.', ':', '^', '{', '\u0301', '\u00a0', '\u2028', '\u202e', '\u2067'],
];

export const filled = (bit: string, length = TEXT_MAX): string =>
  bit.repeat(Math.ceil(length / bit.length)).slice(0, length);

const half = (open: string, close: string): string =>
  filled(open, TEXT_MAX / 2) + filled(close, TEXT_MAX / 2);

/**
 * Every pair of them: alternating, alternating on lines, and many of one followed by many of the other.
 */
export function* pairs(): Generator<string> {
  for (const one of BITS) {
    yield filled(one);
    for (const other of BITS) {
      yield filled(one + other);
      yield filled(`${one}${other}\n`);
      yield filled(one, 1_400) + filled(other, TEXT_MAX - 1_400);
    }
  }
}

const letters = (from: number, step: number): string =>
  Array.from({ length: 8_000 }, (_, at) => String.fromCodePoint(from + at * step)).join('');

/** One of each kind, for a browser. `name` is a member of the room. */
export const kinds = (name: string): Record<string, string> => ({
  'mentions of nobody': filled('@a '),
  'mentions of somebody': filled(`@${name} `),
  'mentions of many': Array.from({ length: 2_600 }, (_, n) => `@${n.toString(36)}`).join(' ').slice(0, TEXT_MAX),
  rooms: filled('#lobby '),
  addresses: filled('http://a.b '),
  'mail addresses': filled('a@b.cd '),
  autolinks: filled('<http://a>'),
  links: filled('[a](/b) '),
  'labels without end': filled('['),
  'links in links': half('[', '](a)'),
  images: filled('![a](http://b) '),
  definitions: filled('[a]: b\n'),
  bold: filled('**a** '),
  'bold without end': filled('**a '),
  'quoted underscores': filled('"_a'),
  'emoji and stars': filled('👍*a '),
  'nested emphasis': half('*a **b ', 'c** d* '),
  'struck out': filled('~~a~~ '),
  'code spans': filled('`a` '),
  backticks: filled('`'),
  spoilers: filled('||a|| '),
  'spoilers without end': filled('||'),
  quotes: filled('>'),
  'quotes in quotes': Array.from({ length: 170 }, (_, depth) => `${'>'.repeat(depth)} a`).join('\n'),
  lists: filled('- a\n'),
  'lists in lists': Array.from({ length: 170 }, (_, depth) => `${' '.repeat(depth)}- a`).join('\n'),
  'lists on one line': filled('- '),
  'lists in quotes': filled('> - 1. '),
  tasks: filled('- [ ] a\n'),
  numbers: filled('1. a\n'),
  headings: filled('# a\n'),
  rules: filled('---\n'),
  'a wide table': `${filled('a|', 5_000)}\n${filled('-|', 5_000)}\n${filled('b|', 5_998)}`,
  'a long table': `a|b\n-|-\n${filled('c|d\n', TEXT_MAX - 8)}`,
  'cells of cells': `a|b|c|d\n-|-|-|-\n${filled('**c**|*d*|`e`|@a\n', TEXT_MAX - 16)}`,
  'empty cells': `${filled('a|', 100)}\n${filled('-|', 100)}\n${filled('b\n', 15_798)}`,
  'blocks of code': filled('```js\nlet a\n```\n'),
  'code on one line': `\`\`\`js\n${filled('a(`${b[', TEXT_MAX - 6)}`,
  'code in braces': `\`\`\`js\n${filled('{(', TEXT_MAX - 6)}`,
  'code of markup': `\`\`\`xml\n${filled('<a b="', TEXT_MAX - 7)}`,
  'code of words': `\`\`\`python\n${filled('if 1: "a"\n', TEXT_MAX - 10)}`,
  'indented code': filled('    a\n'),
  entities: filled('&#65;'),
  tags: filled('<b>'),
  'line breaks by tags': filled('<br>'),
  escapes: filled('\\*'),
  'line breaks': filled('a\n'),
  'empty lines': filled('a\n\n'),
  spaces: `a${' '.repeat(TEXT_MAX - 2)}b`,
  'a long word': filled('a'),
  prose: filled('This is what people say to each other on a long day. '),
  'prose on lines': filled('This is what people say to each other on a long day.\n'),
  'marks piled up': filled(`a${'\u0301\u0327\u0489'.repeat(20)}`),
  'marks without a letter': filled('\u0301'),
  'turned around': filled('\u202ea\u2067b\u2066'),
  'both directions': filled('a ש '),
  emoji: filled('👍'),
  'emoji joined': filled('👨‍👩‍👧‍👦'),
  flags: filled('🇩🇪'),
  'letters of all scripts': letters(0xa1, 3),
  'Chinese letters': letters(0x4e00, 2),
  'Korean letters': letters(0xac00, 1),
  'letters no font has': letters(0xf0000, 1),
});
