// @vitest-environment jsdom
// What the service worker caches and answers, with the browser's caches simulated by maps.
import { beforeEach, expect, test, vi } from 'vitest';
import { pathOf, type Route } from '../../src/app/router.svelte';

const FILES = ['/assets/index-1.js', '/index.html', '/theme.js'];

type Listener = (event: Record<string, unknown>) => void;

class FakeCache {
  readonly kept = new Map<string, Response>();
  async addAll(requests: Request[]): Promise<void> {
    for (const request of requests) {
      const answer = await fetch(request);
      if (!answer.ok) throw new TypeError('not ok');
      this.kept.set(new URL(request.url).pathname, answer);
    }
  }
  match = (path: string) => Promise.resolve(this.kept.get(path)?.clone());
  put(path: string, answer: Response): Promise<void> {
    this.kept.set(path, answer);
    return Promise.resolve();
  }
}

class Browser {
  readonly listeners = new Map<string, Listener>();
  readonly caches = new Map<string, FakeCache>();
  readonly fetched: string[] = [];
  isOffline = false;
  tookOver = 0;

  async start(version: string): Promise<void> {
    vi.resetModules();
    vi.stubGlobal('SHELL', { version, files: FILES });
    vi.stubGlobal('self', {
      addEventListener: (type: string, listener: Listener) => this.listeners.set(type, listener),
      skipWaiting: () => Promise.resolve((this.tookOver += 1)),
      clients: { claim: () => Promise.resolve() },
    });
    vi.stubGlobal('caches', {
      open: (name: string) => {
        const cache = this.caches.get(name) ?? new FakeCache();
        this.caches.set(name, cache);
        return Promise.resolve(cache);
      },
      keys: () => Promise.resolve([...this.caches.keys()]),
      delete: (name: string) => Promise.resolve(this.caches.delete(name)),
    });
    vi.stubGlobal('Request', FakeRequest);
    vi.stubGlobal('fetch', (request: Request) => {
      const { pathname } = new URL(request.url);
      this.fetched.push(pathname);
      if (this.isOffline) return Promise.reject(new TypeError('offline'));
      return Promise.resolve(new Response(`${pathname} of ${version}`));
    });
    await import('../../src/worker/sw');
  }

  async happens(type: 'install' | 'activate'): Promise<void> {
    let work: unknown;
    this.listeners.get(type)?.({ waitUntil: (promise: unknown) => (work = promise) });
    await work;
  }

  /** Null: the worker leaves the request to the network. */
  async ask(path: string, { mode = 'cors', method = 'GET' } = {}): Promise<string | null> {
    let answer: Promise<Response> | null = null;
    this.listeners.get('fetch')?.({
      request: { url: new URL(path, location.href).href, mode, method },
      respondWith: (given: Promise<Response>) => (answer = given),
    });
    const given = await (answer as Promise<Response> | null);
    return given === null ? null : given.text();
  }
}

/** That of jsdom accepts no relative address outside of a page. */
class FakeRequest {
  readonly url: string;
  constructor(path: string) {
    this.url = new URL(path, location.href).href;
  }
}

let browser: Browser;
const PAGE = '/index.html of 1';
const navigate = (path: string) => browser.ask(path, { mode: 'navigate' });

beforeEach(async () => {
  browser = new Browser();
  await browser.start('1');
  await browser.happens('install');
  await browser.happens('activate');
  browser.fetched.length = 0;
  browser.isOffline = true;
});

const ROUTES: Route[] = [
  { at: 'home' },
  { at: 'sign-in' },
  { at: 'sign-up', invite: null },
  { at: 'sign-up', invite: 'abc' },
  { at: 'room', room: 'lobby', seq: null, details: false },
  { at: 'room', room: 'x.y', seq: 41, details: false },
  { at: 'room', room: 'lobby', seq: null, details: true },
  { at: 'room', room: 'lobby', seq: null, details: false, thread: { root: 41, seq: null } },
  { at: 'room', room: 'lobby', seq: null, details: false, thread: { root: 41, seq: 3 } },
  { at: 'browse' },
  { at: 'threads' },
  { at: 'settings', section: null },
  { at: 'settings', section: 'profile' },
];

test.each(ROUTES.map(pathOf))('the page at %s opens without a network', async (path) => {
  expect(await navigate(path)).toBe(PAGE);
  expect(browser.fetched).toEqual([]);
});

test.each(['/api/docs', '/api/rooms', '/ws', '/metrics', '/healthz', '/readyz', '/icon.svg'])(
  '%s is answered by the server',
  async (path) => {
    expect(await navigate(path)).toBeNull();
    expect(await browser.ask(path)).toBeNull();
  },
);

test('other methods and other hosts go to the network', async () => {
  expect(await browser.ask('/index.html', { method: 'POST' })).toBeNull();
  expect(await browser.ask('https://example.org/assets/index-1.js')).toBeNull();
});

test('files of the build come from the cache', async () => {
  expect(await browser.ask('/assets/index-1.js')).toBe('/assets/index-1.js of 1');
  expect(await browser.ask('/theme.js')).toBe('/theme.js of 1');
  expect(browser.fetched).toEqual([]);
});

test('other built files are cached at their first use', async () => {
  browser.isOffline = false;
  expect(await browser.ask('/assets/emoji-1.js')).toBe('/assets/emoji-1.js of 1');
  browser.isOffline = true;
  expect(await browser.ask('/assets/emoji-1.js')).toBe('/assets/emoji-1.js of 1');
  expect(browser.fetched).toEqual(['/assets/emoji-1.js']);
});

test('a broken or full cache does not affect a page that is online', async () => {
  browser.isOffline = false;
  const put = vi.spyOn(FakeCache.prototype, 'put').mockRejectedValue(new DOMException('Full.'));
  expect(await browser.ask('/assets/emoji-1.js')).toBe('/assets/emoji-1.js of 1');
  put.mockRestore();

  vi.stubGlobal('caches', { open: () => Promise.reject(new DOMException('Broken.')) });
  expect(await navigate('/rooms/lobby')).toBe('/rooms/lobby of 1');
  expect(await browser.ask('/assets/index-1.js')).toBe('/assets/index-1.js of 1');
});

test('files that the browser has cleared are fetched again', async () => {
  browser.caches.clear();
  browser.isOffline = false;
  expect(await navigate('/rooms/lobby')).toBe('/rooms/lobby of 1');
});

test('a new build waits until it is asked, then deletes the files of the old one, and no others', async () => {
  browser.isOffline = false;
  browser.caches.set('someone-else', new FakeCache());
  await browser.start('2');
  await browser.happens('install');
  expect([...browser.caches.keys()]).toEqual(['hubbub-1', 'someone-else', 'hubbub-2']);
  expect(browser.tookOver).toBe(0);

  browser.listeners.get('message')?.({ data: 'take over' });
  expect(browser.tookOver).toBe(1);
  await browser.happens('activate');
  expect([...browser.caches.keys()]).toEqual(['someone-else', 'hubbub-2']);
  expect(await navigate('/rooms/lobby')).toBe('/index.html of 2');
});
