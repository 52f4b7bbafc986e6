// @vitest-environment jsdom
/** Limits on what a message puts on the page, counted for expensive texts. */

import { flushSync, mount, unmount } from 'svelte';
import { afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { session } from '../../src/app/session/session.svelte';
import { PER_TASK } from '../../src/markdown/renderQueue';
import { INITIAL } from '../../src/data/state/state';
import Excerpt from '../../src/views/lists/Excerpt.svelte';
import { NODES_MAX } from '../../src/markdown/parsing/steps';
import { loader } from '../../src/markdown/loader.svelte';
import Markdown from '../../src/markdown/Markdown.svelte';
import { filled, kinds } from './hostile';

const NAME = 'ana';
const hostile = Object.entries(kinds(NAME));

const shown: object[] = [];
const asked: string[] = [];
/** Counts lookups of people. */
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
// Fake timers from the first text on, because what one test schedules in real time would run in the
// next.
beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  shown.splice(0).forEach((one) => void unmount(one));
  // Nothing stays scheduled for the next test.
  vi.runAllTimers();
  vi.useRealTimers();
  document.body.replaceChildren();
  asked.length = 0;
});

test.each(hostile)('a message has a bounded number of nodes: %s', (_, text) => {
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
  const target = page();
  const many = 15;
  for (let n = 0; n < many; n += 1) show(target, text, [NAME]);
  flushSync();
  let known = nodesIn(target);
  const atOnce = known;
  let most = 0;
  let tasks = 0;
  for (; tasks < 200; tasks += 1) {
    // Syntax highlighting is loaded on its own.
    await vi.dynamicImportSettled();
    if (vi.getTimerCount() === 0) break;
    vi.advanceTimersToNextTimer();
    flushSync();
    const now = nodesIn(target);
    most = Math.max(most, now - known);
    known = now;
  }
  // The messages within the budget, and the one that exceeded it.
  const bound = 2.5 * (PER_TASK + NODES_MAX);
  expect(atOnce).toBeLessThan(bound + many * 10);
  expect(most).toBeLessThan(bound);
  expect(tasks).toBeGreaterThan(1);
  expect(tasks).toBeLessThan(200);
}, 60_000);

test('ordinary messages are rendered at once', () => {
  const target = page();
  for (let n = 0; n < 50; n += 1) show(target, `Number ${n}, said as people do`);
  show(target, 'and *this*');
  flushSync();
  expect(target.textContent).toContain('Number 0,');
  expect(target.textContent).toContain('Number 49,');
  expect(target.querySelector('em')?.textContent).toBe('this');
});

test('each name is looked up once, however often it occurs', () => {
  show(page(), filled(`@${NAME} @nobody `), [NAME]);
  vi.runAllTimers();
  flushSync();
  expect(document.querySelectorAll('.mention').length).toBeGreaterThan(50);
  expect(asked.filter((name) => name === 'nobody').length).toBeLessThanOrEqual(2);
  expect(asked.filter((name) => name === NAME).length).toBeLessThanOrEqual(2);
});

test('unknown names are plain text', () => {
  show(page(), filled('@nobody '));
  vi.runAllTimers();
  flushSync();
  expect(document.querySelectorAll('.mention, a')).toHaveLength(0);
  expect(nodesIn(document.body)).toBeLessThan(30);
});

test('“Show more” unfolds the rest, and “Show less” folds it again', () => {
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
