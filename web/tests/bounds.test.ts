/** Bounds on the cost of a message, counted over texts made to cost much. */

import fc from 'fast-check';
import { flushSync, mount, unmount } from 'svelte';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { session } from '../src/app/session.svelte';
import { PER_TASK } from '../src/app/turns';
import { INITIAL } from '../src/data/state';
import Excerpt from '../src/views/keeping/Excerpt.svelte';
import { colour } from '../src/views/text/colour';
import { NODES_MAX, RUNS_MAX } from '../src/views/text/cut';
import { loader } from '../src/views/text/loader.svelte';
import Markdown from '../src/views/text/Markdown.svelte';
import { WORK_MAX, parse } from '../src/views/text/parse';
import { CHARACTERS } from '../src/views/text/plain';
import { cutPortion } from '../src/views/text/portions';
import { Reading } from '../src/views/text/reading';
import type { Block, Inline } from '../src/views/text/tree';
import { filled, kinds, pairs, TEXT_MAX } from './hostile';

const NAME = 'ana';
/** Of the 20,000 texts in pairs every so many are tried; `make soak` tries them all. */
const EVERY = import.meta.env['HUBBUB_SOAK'] ? 1 : 8;
const hostile = Object.entries(kinds(NAME));

/** Elements and runs of text in a tree, by a count of its own. */
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

/** How often a pattern is tried while something is done: what the lexer's time goes with. */
function triesOf(work: () => void): number {
  let tries = 0;
  const { exec, test: tests } = RegExp.prototype;
  RegExp.prototype.exec = function (text) {
    tries += 1;
    return exec.call(this, text);
  };
  RegExp.prototype.test = function (text) {
    tries += 1;
    return exec.call(this, text) !== null;
  };
  try {
    work();
  } finally {
    Object.assign(RegExp.prototype, { exec, test: tests });
  }
  return tries;
}

describe('reading a message', () => {
  test('takes a bounded number of looks, and makes a bounded tree, whatever the text', () => {
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
    // What goes beyond it is the look at which the lexer stops.
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

  test('reads no further than it is shown', () => {
    const reading = new Reading(filled('**a** '));
    expect(textOf(reading.steps(1).flatMap(({ blocks }) => blocks)).length).toBeLessThan(CHARACTERS);
    expect(reading.hasMore(1)).toBe(true);
  });
});

describe('what is folded away', () => {
  const words = fc.constantFrom(
    ...['a', 'b ', 'word ', '\n', '\n\n', '**', '*', '> ', '- ', '1. ', '@ana ', '#', '[', '](', '||', '|', '\\', '~~'],
  );
  const long = fc
    .tuple(fc.array(words, { minLength: 5, maxLength: 60 }), fc.integer({ min: 3_000, max: TEXT_MAX }))
    .map(([parts, length]) => filled(parts.join(''), length));
  const letters = (text: string) => text.match(/[a-z]/g)?.join('') ?? '';
  const all = (text: string) => new Reading(text).steps(Infinity).flatMap(({ blocks }) => blocks);

  test('comes with the next steps, and none of it is lost or comes twice', () => {
    fc.assert(
      fc.property(long, (text) => {
        // The target of a link is not shown.
        fc.pre(!text.includes(']('));
        // The head of a table is said again where the table goes on.
        fc.pre(!/\|.*\n.*-/.test(text));
        // What stands behind the beginning of a code block is its language, and not shown.
        fc.pre(!text.includes('~~~'));
        expect(letters(textOf(all(text)))).toBe(letters(text));
      }),
      { numRuns: 60 },
    );
  });

  test('prose of 16,000 characters is all of the same paragraphs', () => {
    const prose = Array.from({ length: 110 }, (_, n) => `${n}: ${'what people say '.repeat(9)}`).join('\n\n');
    const found = all(prose);
    expect(found).toHaveLength(110);
    expect(new Reading(prose).steps(Infinity).length).toBeLessThan(8);
  });

  test('code goes on as code, and is copied as a whole', () => {
    const code = Array.from({ length: 300 }, (_, n) => `line ${n} of the code`).join('\n');
    const found = all(`Look:\n\`\`\`js\n${code}\n\`\`\`\nand so on`);
    const blocks = found.filter((block) => block.is === 'code');
    expect(blocks.length).toBeGreaterThan(3);
    expect(blocks.map(({ text }) => text).join('\n')).toBe(code);
    expect(blocks.every(({ language, whole }) => language === 'js' && whole === code)).toBe(true);
    expect(found.at(-1)).toMatchObject({ is: 'paragraph' });
  });

  test('a table goes on below its head', () => {
    const rows = Array.from({ length: 120 }, (_, n) => `|${n}|cell|`);
    const found = all(`|a|b|\n|-|:-:|\n${rows.join('\n')}`);
    expect(found.length).toBeGreaterThan(2);
    for (const table of found) {
      expect(table).toMatchObject({ is: 'table', align: [null, 'center'], header: [[{ text: 'a' }], [{ text: 'b' }]] });
    }
    expect(found.flatMap((one) => (one.is === 'table' ? one.rows : []))).toHaveLength(120);
  });

  test('a list goes on with its numbers', () => {
    const found = all(Array.from({ length: 200 }, (_, n) => `${n + 1}. **item** ${n + 1}`).join('\n'));
    let next = 1;
    for (const list of found) {
      if (list.is !== 'list') throw new Error(list.is);
      expect(list.start).toBe(next);
      next += list.items.length;
    }
    expect(next).toBe(201);
  });

  test('what is covered stays covered', () => {
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

  test('code has a bounded number of coloured runs', () => {
    for (const bit of ['a(', '"a" ', '{[', 'if 1 ', '/*a*/ ', '<a b="c">']) {
      for (const language of ['javascript', 'python', 'xml', 'css', 'bash', 'cpp']) {
        expect((colour(language, filled(bit, 3_000)) ?? []).length).toBeLessThanOrEqual(RUNS_MAX);
      }
    }
  });
});

describe('on the page', () => {
  const shown: object[] = [];
  const asked: string[] = [];
  /** Counts who is looked up. */
  class People extends Map<string, never> {
    override has(name: string) {
      asked.push(name);
      return super.has(name);
    }
    override get(name: string) {
      asked.push(name);
      return super.get(name);
    }
  }
  const me = { name: NAME, display_name: 'Ana', role: 'member' } as never;

  function page(): HTMLElement {
    const target = document.createElement('div');
    document.body.append(target);
    return target;
  }
  function show(target: HTMLElement, text: string, mentions: string[] = []): void {
    shown.push(mount(Markdown, { target, props: { text, mentions } }));
  }
  const nodesIn = (root: Node): number =>
    1 + [...root.childNodes].reduce((sum, node) => sum + (node.nodeType === 8 ? 0 : nodesIn(node)), 0);

  beforeAll(async () => {
    loader.load();
    await vi.waitUntil(() => loader.rich, { timeout: 30_000 });
    session.state = { ...INITIAL, me, people: new People([[NAME, me]]) };
  }, 40_000);
  afterEach(() => {
    shown.splice(0).forEach((one) => void unmount(one));
    // Nothing is left planned for the next test.
    if (vi.isFakeTimers()) vi.runAllTimers();
    vi.useRealTimers();
    document.body.replaceChildren();
    asked.length = 0;
  });

  test.each(hostile)('a message has a bounded number of nodes: %s', (_, text) => {
    vi.useFakeTimers();
    const target = page();
    show(target, text, [NAME]);
    vi.runAllTimers();
    flushSync();
    expect(target.textContent).not.toBe('');
    expect(nodesIn(target)).toBeLessThan(4 * NODES_MAX);
  });

  const costly = hostile.filter(([kind]) =>
    /^(?:mentions of somebody|addresses|links|spoilers|lists|cells of cells|code of words|empty lines)$/.test(kind),
  );
  test.each(costly)('each task puts a bounded part of many there: %s', async (_, text) => {
    vi.useFakeTimers();
    const target = page();
    const many = 15;
    for (let n = 0; n < many; n += 1) show(target, text, [NAME]);
    flushSync();
    let known = nodesIn(target);
    const atOnce = known;
    let most = 0;
    let tasks = 0;
    for (; tasks < 200; tasks += 1) {
      // The colours of code come on their own.
      await vi.dynamicImportSettled();
      if (vi.getTimerCount() === 0) break;
      vi.advanceTimersToNextTimer();
      flushSync();
      const now = nodesIn(target);
      most = Math.max(most, now - known);
      known = now;
    }
    // What there was room for, and the message that went beyond it.
    const bound = 2.5 * (PER_TASK + NODES_MAX);
    expect(atOnce).toBeLessThan(bound + many * 10);
    expect(most).toBeLessThan(bound);
    expect(tasks).toBeGreaterThan(1);
    expect(tasks).toBeLessThan(200);
  }, 60_000);

  test('what people mostly say is all there at once', () => {
    vi.useFakeTimers();
    const target = page();
    for (let n = 0; n < 50; n += 1) show(target, `Number ${n}, said as people do`);
    show(target, 'and *this*');
    flushSync();
    expect(target.textContent).toContain('Number 0,');
    expect(target.textContent).toContain('Number 49,');
    expect(target.querySelector('em')?.textContent).toBe('this');
  });

  test('who is named is looked up once for each name, however often', () => {
    vi.useFakeTimers();
    show(page(), filled(`@${NAME} @nobody `), [NAME]);
    vi.runAllTimers();
    flushSync();
    expect(document.querySelectorAll('.mention').length).toBeGreaterThan(50);
    expect(asked.filter((name) => name === 'nobody').length).toBeLessThanOrEqual(2);
    expect(asked.filter((name) => name === NAME).length).toBeLessThanOrEqual(2);
  });

  test('whom nobody knows is text like the rest of it', () => {
    vi.useFakeTimers();
    show(page(), filled('@nobody '));
    vi.runAllTimers();
    flushSync();
    expect(document.querySelectorAll('.mention, a')).toHaveLength(0);
    expect(nodesIn(document.body)).toBeLessThan(30);
  });

  test('“Show more” brings the rest, and “Show less” folds it away again', () => {
    vi.useFakeTimers();
    const text = Array.from({ length: 900 }, (_, n) => `Line ${n} of it`).join('\n');
    const target = page();
    show(target, text);
    vi.runAllTimers();
    flushSync();
    const button = () => target.querySelector<HTMLButtonElement>('button[aria-expanded]');
    expect(target.textContent).not.toContain('Line 60 of it');
    expect(button()?.textContent.trim()).toBe('Show more');
    Element.prototype.scrollIntoView ??= () => undefined;
    for (let n = 0; n < 20 && button()?.getAttribute('aria-expanded') !== 'true'; n += 1) {
      const before = nodesIn(target);
      button()?.click();
      flushSync();
      vi.runAllTimers();
      flushSync();
      expect(nodesIn(target) - before).toBeLessThan(4 * NODES_MAX);
    }
    expect(target.textContent).toContain('Line 899 of it');
    expect(button()?.textContent.trim()).toBe('Show less');
    button()?.click();
    flushSync();
    expect(target.textContent).not.toContain('Line 60 of it');
  });

  test('a short message has no such button', () => {
    show(page(), '**bold**');
    flushSync();
    expect(document.querySelector('button')).toBe(null);
  });

  test.each(hostile)('an excerpt has few nodes: %s', (_, text) => {
    const target = page();
    shown.push(mount(Excerpt, { target, props: { message: { text, mentions: [NAME] } } }));
    flushSync();
    expect(nodesIn(target)).toBeLessThan(200);
  });
});
