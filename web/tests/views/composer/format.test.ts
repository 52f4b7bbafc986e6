/** Formatting as pure functions: `‹…›` marks the selection, `‸` the caret. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { difference, type TextSelection } from '../../../src/views/composer/format/textEdit';
import { withFences } from '../../../src/views/composer/format/fences';
import { isOn, toggle } from '../../../src/views/composer/format/format';
import { FORMATS, KEYS, type Format } from '../../../src/views/composer/format/formats';
import { continueList } from '../../../src/views/composer/format/lines';
import { languageOf, looksLikeCode, pasteLink } from '../../../src/views/composer/format/pasting';
import { parse } from '../../../src/markdown/parsing/parse';

function drawn(text: string): TextSelection {
  const caret = text.indexOf('‸');
  if (caret >= 0) return { text: text.replace('‸', ''), start: caret, end: caret };
  const start = text.indexOf('‹');
  return { text: text.replace(/[‹›]/g, ''), start, end: text.indexOf('›') - 1 };
}

function shown({ text, start, end }: TextSelection): string {
  if (start === end) return `${text.slice(0, start)}‸${text.slice(start)}`;
  return `${text.slice(0, start)}‹${text.slice(start, end)}›${text.slice(end)}`;
}

const toggled = (format: Format, text: string) => shown(toggle(format, drawn(text)));

describe('delimiters around words', () => {
  test.each<[Format, string, string]>([
    ['bold', 'a ‹word› b', 'a **‹word›** b'],
    ['italic', 'a ‹word› b', 'a *‹word›* b'],
    ['strike', 'a ‹word› b', 'a ~~‹word›~~ b'],
    ['code', 'a ‹word› b', 'a `‹word›` b'],
    ['spoiler', 'a ‹word› b', 'a ||‹word›|| b'],
    ['italic', 'in ‹hell›o', 'in *‹hell›*o'],
    ['bold', 'a *‹word›* b', 'a ***‹word›*** b'],
    ['italic', 'a **‹word›** b', 'a ***‹word›*** b'],
    ['italic', '‹2 * 3 * 4›', '*‹2 * 3 * 4›*'],
    ['code', '‹a`b›', '``‹a`b›``'],
    ['code', '‹`›', '`` ‹`› ``'],
    ['bold', '‹a **b** c›', '**‹a b c›**'],
    ['bold', 'he‸llo', '**he‸llo**'],
    ['bold', 'hello ‸', 'hello **‸**'],
    ['bold', '‸', '**‸**'],
    ['italic', '**‸**', '***‸***'],
  ])('%s of %j is %j, and back', (format, before, after) => {
    expect(toggled(format, before)).toBe(after);
    expect(isOn(format, drawn(after))).toBe(true);
    if (before.includes('**b**')) return;
    expect(toggled(format, after)).toBe(before);
    expect(isOn(format, drawn(before))).toBe(false);
  });

  test.each<[Format, string, string]>([
    ['bold', 'a **one ‸two** b', 'a one ‸two b'],
    ['bold', 'a **one ‹two› three** b', 'a one ‹two› three b'],
    ['bold', 'a ‹**one**› b', 'a ‹one› b'],
    ['bold', '***‹a›***', '*‹a›*'],
    ['italic', '***‹a›***', '**‹a›**'],
    ['code', '`` ‹`a`› ``', '‹`a`›'],
  ])('%s inside %j is removed', (format, before, after) => {
    expect(toggled(format, before)).toBe(after);
  });

  test('at the end, typing continues outside of the format', () => {
    expect(toggled('bold', '**word‸** b')).toBe('**word**‸ b');
    expect(isOn('bold', drawn('**word**‸ b'))).toBe(false);
  });

  test('white space at the ends stays outside', () => {
    expect(toggled('bold', 'a‹ word ›b')).toBe('a **‹word›** b');
  });

  test('no delimiter crosses paragraphs or items, and prefixes stay outside', () => {
    expect(toggled('bold', '‹one\ntwo\n\n> - three\n4. four›')).toBe(
      '**‹one\ntwo**\n\n> - **three**\n4. **four›**',
    );
    expect(toggled('bold', '**‹one\ntwo**\n\n> - **three**\n4. **four›**')).toBe(
      '‹one\ntwo\n\n> - three\n4. four›',
    );
    // A part that has the format keeps it until all parts have it.
    expect(toggled('bold', '‹- **one**\n- two›')).toBe('‹- **one**\n- **two›**');
  });

  test('delimiters in code and escaped ones do not count', () => {
    expect(isOn('bold', drawn('`**` a‸b `**`'))).toBe(false);
    expect(isOn('italic', drawn('\\*a‸b\\*'))).toBe(false);
  });
});

describe('lines', () => {
  test.each<[Format, string, string]>([
    ['quote', '‸', '> ‸'],
    ['bullets', 'o‸ne', '- o‸ne'],
    ['numbers', '‹one\n\ntwo\nthree›', '1. ‹one\n\n2. two\n3. three›'],
    ['tasks', 'x\n‹one\ntwo›', 'x\n- [ ] ‹one\n- [ ] two›'],
    ['quote', '‹one\n\n- two›', '> ‹one\n> \n> - two›'],
    ['bullets', '  ‹one›', '  - ‹one›'],
    ['bullets', '> ‹one›', '> - ‹one›'],
  ])('%s of %j is %j, and back', (format, before, after) => {
    expect(toggled(format, before)).toBe(after);
    expect(isOn(format, drawn(after))).toBe(true);
    expect(toggled(format, after)).toBe(before);
    expect(isOn(format, drawn(before))).toBe(false);
  });

  test('one kind of list becomes another', () => {
    expect(toggled('numbers', '‹- one\n- [x] two›')).toBe('‹1. one\n2. two›');
    expect(toggled('bullets', '3. o‸ne')).toBe('- o‸ne');
  });

  test('a line that the selection only reaches is unchanged, and the next line is separated', () => {
    expect(toggled('bullets', '‹one\n›two')).toBe('- ‹one\n›\ntwo');
    expect(toggled('quote', 'on‸e\ntwo')).toBe('> on‸e\n\ntwo');
    expect(toggled('bullets', 'on‸e\n- two')).toBe('- on‸e\n- two');
  });

  test.each([
    ['- one‸', '- one\n- ‸'],
    ['  * o‸ne', '  * o\n  * ‸ne'],
    ['9. one‸\nx', '9. one\n10. ‸\nx'],
    ['- [x] one‸', '- [x] one\n- [ ] ‸'],
    ['> 1) o‹n›e', '> 1) o\n> 2) ‸e'],
    ['- one\n- ‸', '- one\n‸'],
    ['- [ ] ‸', '‸'],
  ])('a line break in %j continues or ends the list', (before, after) => {
    const next = continueList(drawn(before));
    expect(next && shown(next)).toBe(after);
  });

  test.each(['one‸', '-‸', '‸- one', '> one‸', '```\n- one‸\n```', '**one**‸'])(
    'a line break in %j is nothing else',
    (text) => expect(continueList(drawn(text))).toBeNull(),
  );
});

describe('blocks of code', () => {
  test.each([
    ['‸', '```\n‸\n```'],
    ['‹a\nb›', '```\n‹a\nb›\n```'],
    ['x ‹a› y', 'x \n```\n‹a›\n```\n y'],
    ['‹```\na\n```›', '````\n‹```\na\n```›\n````'],
  ])('around %j', (before, after) => {
    expect(toggled('block', before)).toBe(after);
    expect(isOn('block', drawn(after))).toBe(true);
  });

  test.each([
    ['x\n```js\na‸\n```\ny', 'x\na‸\ny'],
    ['```\n‸\n```', '‸'],
    ['```\n```\n‸', '```\n```\n```\n‸\n```'],
    ['~~~\n‹a\n```\nb›', '‹a\n```\nb›'],
    ['```a b\n‹c›', 'a b\n‹c›'],
  ])('in %j', (before, after) => expect(toggled('block', before)).toBe(after));

  test('several lines of code become one block', () => {
    expect(toggled('code', '‹a\nb›')).toBe('```\n‹a\nb›\n```');
  });
});

describe('links', () => {
  test.each([
    ['see ‹the wiki› now', 'see [the wiki](‸) now'],
    ['‸', '[‸]()'],
    ['‹https://a.b/c›', '[‸](https://a.b/c)'],
    ['‹a [1]›', '[a \\[1\\]](‸)'],
    ['see [the ‸wiki](https://a.b/(c)) now', 'see the ‸wiki now'],
    ['‹[a](b)›', '‹a›'],
    // Without a label, only the address can stay.
    ['[](‹a›)', '‹a›'],
    ['‹[ ](<a b>)›', '‹<a b>›'],
  ])('of %j', (before, after) => expect(toggled('link', before)).toBe(after));

  test.each([
    ['see ‹the wiki› now', ' https://a.b/c\n', 'see [the wiki](https://a.b/c)‸ now'],
    ['‹mail›', 'mailto:a@b.c', '[mail](mailto:a@b.c)‸'],
    ['‹a›', 'https://a.b/c_(d)', '[a](https://a.b/c_(d))‸'],
    ['‹a›', 'https://a.b/c)', '[a](<https://a.b/c)>)‸'],
    ['a‹ b ›c', 'https://a.b', 'a [b](https://a.b)‸ c'],
  ])('an address pasted over %j', (before, pasted, after) => {
    const next = pasteLink(drawn(before), pasted);
    expect(next && shown(next)).toBe(after);
    expect(JSON.stringify(parse(next?.text ?? ''))).toContain('"is":"link"');
  });

  test.each([
    ['‸', 'https://a.b'],
    ['‹ ›', 'https://a.b'],
    ['‹a›', 'a.b'],
    ['‹a›', 'javascript:alert(1)'],
    ['‹a›', 'https://a.b https://c.d'],
    ['‹https://old.example›', 'https://a.b'],
    ['`‹a›`', 'https://a.b'],
    ['[‹a›](b)', 'https://a.b'],
    ['```\n‹a›\n```', 'https://a.b'],
    ['‹a\n\nb›', 'https://a.b'],
  ])('over %j %j is pasted as it is', (before, pasted) => {
    expect(pasteLink(drawn(before), pasted)).toBeNull();
  });
});

describe('text that looks like code', () => {
  test.each([
    ['python', 'def greet(name):\n    return f"Hello, {name}"\n\nprint(greet("Ana"))'],
    ['python', 'from os import path\n\nx = path.join("a", "b")'],
    ['javascript', "import { a } from './a';\n\nconst b = a();"],
    ['javascript', 'function add(a, b) {\n  return a + b;\n}'],
    ['bash', '#!/bin/sh\nset -e\ncd /tmp && ls'],
    ['bash', '$ git pull\n$ make install'],
    ['json', '{\n  "name": "hubbub",\n  "private": true\n}'],
    ['html', '<div class="a">\n  <p>Hello</p>\n</div>'],
    ['sql', 'SELECT name\nFROM people\nWHERE id = 3;'],
    ['diff', '@@ -1,2 +1,2 @@\n-const a = 1;\n+const a = 2;'],
    ['', 'fn main() {\n    println!("Hello");\n}'],
    ['', '#include <stdio.h>\nint main() {\n  return 0;\n}'],
    ['', 'a {\n  color: red;\n}'],
    ['python', 'import os\n\nfor name in os.listdir():\n    print(name)\n\nclass A(B):\n    pass'],
    ['', 'export class A {\n  b: number;\n}'],
    ['', 'git clone a\ncd a\nnpm ci'],
    ['', 'sudo apt update\nsudo apt install git'],
  ])('%s: %j', (language, text) => {
    expect(looksLikeCode(text)).toBe(true);
    expect(languageOf(text)).toBe(language);
  });

  test.each([
    'const a = 1;',
    'Hello Ana,\n\nthanks for the notes (they help).\nSee you on Monday!',
    '- milk\n- eggs\n  - six of them\n- bread',
    '1. Open the door;\n2. close the door.',
    'First line\n    and an indented one\n    and another.',
    'Ana: did you see it?\nBo: no; where is it?\nAna: here.',
    'From the start it was clear.\nFor all of us, that is.\nReturn it by Monday.',
    'Hallo zusammen,\nwir treffen uns um 9:30 Uhr\nim großen Saal',
    'let me know\nmake sure that it works\ngo ahead\nimport duties rose\nwith love',
    'class was great\nfrom the start\nvoid of all sense\nreturn to sender',
    'https://example.org/a?b=c\nhttps://example.org/d#e',
    '```\nconst a = 1;\nconst b = 2;\n```',
    '| a | b |\n|---|---|\n| 1 | 2 |',
    '> let me see it;\n> then I can say',
    '',
  ])('not %j', (text) => expect(looksLikeCode(text)).toBe(false));

  test('gets its own fences', () => {
    expect(withFences(drawn('x\n‹a\nb\n›y'), 'js').text).toBe('x\n```js\na\nb\n```\ny');
  });
});

describe('any text', () => {
  const piece = fc.constantFrom(
    ...['a', 'bc', ' ', '\n', '\n\n', '*', '**', '~~', '`', '```', '||', '> ', '- ', '- [ ] ', '1. '],
    ...['[', ']', '(', ')', '](', '[](', '\\', '_', '# ', '<', '>', '~~~', '```a'],
  );
  const draft = fc
    .tuple(fc.array(piece, { maxLength: 20 }), fc.nat(), fc.nat())
    .map(([pieces, one, other]): TextSelection => {
      const text = pieces.join('');
      const [start = 0, end = 0] = [one, other]
        .map((place) => place % (text.length + 1))
        .sort((a, b) => a - b);
      return { text, start, end };
    });
  const letters = (text: string) => text.replace(/[^abc]/g, '');
  const withoutLanguages = (text: string) =>
    letters(text.replace(/^( {0,3}(?:`{3,}|~{3,}))[^\S\n]*\S+[^\S\n]*$/gm, '$1'));

  /** The words of a text without one of its links, for each link. */
  function unlinked(text: string): string[] {
    const link = /\[((?:\\.|[^[\]\\])*)\]\((<[^<>\n]*>|(?:[^()\s]|\([^()\s]*\))*)\)/y;
    return [...text.matchAll(/\[/g)].flatMap(({ index }) => {
      link.lastIndex = index;
      const [whole, label = '', address = ''] = link.exec(text) ?? [];
      if (whole === undefined) return [];
      const words = label.trim() ? label : address;
      return [letters(text.slice(0, index) + words + text.slice(index + whole.length))];
    });
  }

  function expectKept(format: Format, before: TextSelection, after: TextSelection): void {
    // Removing a link removes its address, and removing a code block the name of its language.
    const isOfLines = before.text.slice(before.start, before.end).trim().includes('\n');
    const isBlock = format === 'block' || (format === 'code' && isOfLines);
    if (format === 'link' && isOn('link', before)) {
      expect(unlinked(before.text)).toContain(letters(after.text));
    } else if (isBlock && isOn('block', before)) {
      expect(withoutLanguages(after.text)).toBe(withoutLanguages(before.text));
    } else expect(letters(after.text)).toBe(letters(before.text));
  }

  test('keeps its words and a selection inside them', () => {
    fc.assert(
      fc.property(fc.constantFrom(...FORMATS), draft, (format, before) => {
        const after = toggle(format, before);
        expectKept(format, before, after);
        expect(after.start).toBeGreaterThanOrEqual(0);
        expect(after.end).toBeGreaterThanOrEqual(after.start);
        expect(after.end).toBeLessThanOrEqual(after.text.length);
      }),
      { numRuns: import.meta.env['HUBBUB_SOAK'] ? 100_000 : 3_000 },
    );
  }, 300_000);

  test('is turned into another text by one edit', () => {
    fc.assert(
      fc.property(draft, draft, ({ text: one }, { text: other }) => {
        const { from, to, by } = difference(one, other);
        expect(one.slice(0, from) + by + one.slice(to)).toBe(other);
      }),
    );
  });

  // An exponential pattern would take minutes.
  test('does not block the page', () => {
    const signs = ['*', '**a ', '`', '`a', '|', '||a ', '~~', '[', '[a](', '- ', '- a\n', '> ', '\n', '\\', '```\n', 'a'];
    for (const sign of signs) {
      const text = sign.repeat(16_000 / sign.length);
      for (const selection of [{ start: 0, end: text.length }, { start: 8_000, end: 8_000 }]) {
        for (const format of FORMATS) {
          isOn(format, { text, ...selection });
          toggle(format, { text, ...selection });
        }
      }
      expect(looksLikeCode(text), sign).toBe(false);
    }
  }, 60_000);
});

test('no two formats have the same shortcut', () => {
  expect(new Set(Object.values(KEYS)).size).toBe(Object.keys(KEYS).length);
});
