/** Limits on the cost of parsing a message, counted for expensive texts. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { highlight } from '../../src/markdown/highlight';
import { NODES_MAX, RUNS_MAX } from '../../src/markdown/parsing/steps';
import { WORK_MAX, parse } from '../../src/markdown/parsing/parse';
import { CHARACTERS } from '../../src/markdown/parsing/plain';
import { cutPortion } from '../../src/markdown/parsing/portions';
import { Reading } from '../../src/markdown/parsing/reading';
import type { Block, Inline } from '../../src/markdown/parsing/tree';
import { filled, kinds, pairs, TEXT_MAX } from './hostile';
import { triesOf } from '../support/tries';

/** Only a sample of the 20,000 texts is tried; `make soak` tries them all. */
const EVERY = import.meta.env['HUBBUB_SOAK'] ? 1 : 8;
const hostile = Object.entries(kinds('ana'));

/** Counts elements and runs of text in a tree independently. */
function nodesOf(tree: readonly (Block | Inline)[]): number {
  let count = 0;
  for (const one of tree) {
    count += 1;
    if ('children' in one) count += nodesOf(one.children);
    else if ('inlines' in one) count += nodesOf(one.inlines);
    else if ('blocks' in one) count += nodesOf(one.blocks);
    else if (one.is === 'list') for (const item of one.items) count += 1 + nodesOf(item.blocks);
    else if (one.is === 'table') {
      for (const cell of [one.header, ...one.rows].flat()) count += 1 + nodesOf(cell);
    }
  }
  return count;
}

function textOf(tree: readonly (Block | Inline)[]): string {
  return tree
    .map((one): string => {
      if ('text' in one) return one.text;
      if ('children' in one) return textOf(one.children);
      if ('inlines' in one) return textOf(one.inlines);
      if ('blocks' in one) return textOf(one.blocks);
      if (one.is === 'list') return one.items.map(({ blocks }) => textOf(blocks)).join('');
      if (one.is === 'table') return [one.header, ...one.rows].flat().map(textOf).join('');
      return '';
    })
    .join('');
}

describe('parsing a message', () => {
  test('needs limited work and produces a limited tree for every text', () => {
    let most = 0;
    let nth = 0;
    for (const text of pairs()) {
      nth += 1;
      if (nth % EVERY) continue;
      const { portion } = cutPortion(text);
      expect(portion.length).toBeLessThanOrEqual(CHARACTERS * 1.5);
      most = Math.max(most, parse(portion).work);
      const [step] = new Reading(text).steps(1);
      expect(nodesOf(step?.blocks ?? []), text.slice(0, 20)).toBeLessThanOrEqual(NODES_MAX + 10);
    }
    // The excess is the look at which the lexer stops.
    expect(most).toBeLessThan(WORK_MAX * 1.1);
    expect(most).toBeGreaterThan(WORK_MAX);
  }, 300_000);

  test.each(hostile)('tries few patterns for each step: %s', (_, text) => {
    const reading = new Reading(text);
    let nodes = 0;
    let count = 1;
    for (; reading.hasMore(count - 1); count += 1) {
      const tries = triesOf(() => void reading.steps(count));
      expect(tries).toBeLessThan(60_000);
      nodes = Math.max(nodes, nodesOf(reading.steps(count).at(-1)?.blocks ?? []));
    }
    expect(nodes).toBeLessThanOrEqual(NODES_MAX + 10);
    expect(count).toBeLessThan(450);
  });

  test('parses no further than what is shown', () => {
    const reading = new Reading(filled('**a** '));
    expect(textOf(reading.steps(1).flatMap(({ blocks }) => blocks)).length).toBeLessThan(CHARACTERS);
    expect(reading.hasMore(1)).toBe(true);
  });
});

describe('folded text', () => {
  const words = fc.constantFrom(
    ...['a', 'b ', 'word ', '\n', '\n\n', '**', '*', '> ', '- ', '1. ', '@ana ', '#', '[', '](', '||', '|', '\\', '~~'],
  );
  const long = fc
    .tuple(fc.array(words, { minLength: 5, maxLength: 60 }), fc.integer({ min: 3_000, max: TEXT_MAX }))
    .map(([parts, length]) => filled(parts.join(''), length));
  const letters = (text: string) => text.match(/[a-z]/g)?.join('') ?? '';
  const all = (text: string) => new Reading(text).steps(Infinity).flatMap(({ blocks }) => blocks);

  test('appears in the next steps, and nothing is lost or repeated', () => {
    fc.assert(
      fc.property(long, (text) => {
        // The target of a link is not shown.
        fc.pre(!text.includes(']('));
        // The head of a table is repeated where the table continues.
        fc.pre(!/\|.*\n.*-/.test(text));
        // What follows the opening fence is the language, which is not shown.
        fc.pre(!text.includes('~~~'));
        expect(letters(textOf(all(text)))).toBe(letters(text));
      }),
      { numRuns: 60 },
    );
  });

  test('16,000 characters of prose keep their paragraphs', () => {
    const prose = Array.from({ length: 110 }, (_, n) => `${n}: ${'what people say '.repeat(9)}`).join('\n\n');
    const found = all(prose);
    expect(found).toHaveLength(110);
    expect(new Reading(prose).steps(Infinity).length).toBeLessThan(8);
  });

  test('code continues as code, and is copied completely', () => {
    const code = Array.from({ length: 300 }, (_, n) => `line ${n} of the code`).join('\n');
    const found = all(`Look:\n\`\`\`js\n${code}\n\`\`\`\nand so on`);
    const blocks = found.filter((block) => block.is === 'code');
    expect(blocks.length).toBeGreaterThan(3);
    expect(blocks.map(({ text }) => text).join('\n')).toBe(code);
    expect(blocks.every(({ language, whole }) => language === 'js' && whole === code)).toBe(true);
    expect(found.at(-1)).toMatchObject({ is: 'paragraph' });
  });

  test('a table continues below its repeated head', () => {
    const rows = Array.from({ length: 120 }, (_, n) => `|${n}|cell|`);
    const found = all(`|a|b|\n|-|:-:|\n${rows.join('\n')}`);
    expect(found.length).toBeGreaterThan(2);
    for (const table of found) {
      expect(table).toMatchObject({ is: 'table', align: [null, 'center'], header: [[{ text: 'a' }], [{ text: 'b' }]] });
    }
    expect(found.flatMap((one) => (one.is === 'table' ? one.rows : []))).toHaveLength(120);
  });

  test('a list continues its numbers', () => {
    const found = all(Array.from({ length: 200 }, (_, n) => `${n + 1}. **item** ${n + 1}`).join('\n'));
    let next = 1;
    for (const list of found) {
      if (list.is !== 'list') throw new Error(list.is);
      expect(list.start).toBe(next);
      next += list.items.length;
    }
    expect(next).toBe(201);
  });

  test('spoilers stay hidden', () => {
    const secret = 'secret '.repeat(1_500);
    const uncovered = (tree: readonly (Block | Inline)[]): string =>
      tree
        .map((one): string => {
          if (one.is === 'spoiler') return '';
          if ('children' in one) return uncovered(one.children);
          if ('inlines' in one) return uncovered(one.inlines);
          return 'text' in one ? one.text : '';
        })
        .join('');
    for (const text of [`a ||${secret}|| b`, `${'a '.repeat(1_400)}||${secret}|| b`]) {
      const found = all(text);
      expect(uncovered(found)).not.toContain('secret');
      expect(textOf(found).match(/secret/g)).toHaveLength(1_500);
    }
  });

  test('code has a limited number of highlighted runs', () => {
    for (const bit of ['a(', '"a" ', '{[', 'if 1 ', '/*a*/ ', '<a b="c">']) {
      for (const language of ['javascript', 'python', 'xml', 'css', 'bash', 'cpp']) {
        expect((highlight(language, filled(bit, 3_000)) ?? []).length).toBeLessThanOrEqual(RUNS_MAX);
      }
    }
  });
});
