// @vitest-environment jsdom
import { flushSync, mount, unmount } from 'svelte';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { session } from '../../src/app/session/session.svelte';
import { INITIAL } from '../../src/data/state/state';
import { loader } from '../../src/markdown/loader.svelte';
import Markdown from '../../src/markdown/Markdown.svelte';

describe('on the page', () => {
  const shown: object[] = [];
  function show(text: string, mentions: string[] = []): HTMLElement {
    const target = document.createElement('div');
    shown.push(mount(Markdown, { target, props: { text, mentions } }));
    flushSync();
    return target;
  }

  beforeAll(async () => {
    loader.load();
    await vi.waitUntil(() => loader.rich, { timeout: 30_000 });
    const me = { name: 'ana', display_name: 'Ana', role: 'member' };
    session.state = {
      ...INITIAL,
      me: me as never,
      people: new Map([
        ['ana', me as never],
        ['bo', { name: 'bo', display_name: 'Bo <b>B</b>' } as never],
      ]),
      rooms: new Map([['lobby', { room: 'lobby', kind: 'public', title: 'The lobby' } as never]]),
    };
  }, 40_000);
  afterEach(() => shown.splice(0).forEach((one) => void unmount(one)));

  test('markup becomes elements, and nothing is added to the text', () => {
    const page = show('**a** *b*~~c~~ `d`, [e](https://a.b/)!\nf');
    expect(page.textContent).toBe('a bc d, e!\nf');
    expect(page.querySelector('strong')?.textContent).toBe('a');
    expect(page.querySelector('a')?.getAttribute('rel')).toBe('noopener noreferrer nofollow');
    expect(page.querySelector('a')?.target).toBe('_blank');
  });

  test('HTML is shown as text', () => {
    const text = '<img src=x onerror=alert(1)> <script>alert(1)</script> **x**';
    const page = show(text);
    expect(page.textContent).toBe(text.replaceAll('*', ''));
    expect(page.querySelector('img, script')).toBe(null);
  });

  test('people and rooms are shown by their names, unknown ones as typed', () => {
    const page = show('@bo @Ana @nobody #lobby #nowhere');
    expect(page.textContent).toBe('@Bo <b>B</b> @Ana @nobody #The lobby #nowhere');
    expect(page.querySelectorAll('.mention')).toHaveLength(2);
    expect(page.querySelector('.me')?.textContent).toBe('@Ana');
    expect(page.querySelector('a')?.getAttribute('href')).toBe('/rooms/lobby');
  });

  test('a heading does not change the page’s outline, and tasks have labels', () => {
    const page = show('# a\n- [x] b\n- [ ] c\n\n7. d');
    expect(page.querySelector('h1, h2, h3')).toBe(null);
    const boxes = [...page.querySelectorAll('input')];
    expect(boxes.map((box) => [box.checked, box.disabled, box.ariaLabel ?? box.getAttribute('aria-label')])).toEqual([
      [true, true, 'Done'],
      [false, true, 'To do'],
    ]);
    expect(page.querySelector('ol')?.start).toBe(7);
  });

  test('code keeps its white space', () => {
    const page = show('```\na\n\n  b  \n```');
    expect(page.querySelector('pre')?.textContent).toBe('a\n\n  b  ');
  });

  test('messages with only emoji are large', () => {
    expect(show('👍 🎉').querySelector('.only-emoji')).not.toBe(null);
    expect(show('ok 👍').querySelector('.only-emoji')).toBe(null);
  });
});
