/**
 * The service worker caches the files of one build of the client, so that it opens offline. Nothing
 * that people write passes through it: all other requests go to the network as if it did not exist.
 */

// Makes this file a module for the type checker, so that its names stay local.
export {};

/** Inserted by the build (`build/worker.ts`). */
declare const SHELL: { version: string; files: string[] };

/** What a worker has and a page does not; TypeScript's types for both cannot be combined. */
interface WorkerEvent extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface WorkerFetchEvent extends WorkerEvent {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}
interface Worker {
  skipWaiting(): Promise<void>;
  readonly clients: { claim(): Promise<void> };
  addEventListener(type: 'install' | 'activate', listener: (event: WorkerEvent) => void): void;
  addEventListener(type: 'fetch', listener: (event: WorkerFetchEvent) => void): void;
  addEventListener(type: 'message', listener: (event: MessageEvent<unknown>) => void): void;
}
const worker = self as unknown as Worker;

const PREFIX = 'hubbub-';
const CACHE = PREFIX + SHELL.version;
const PAGE = '/index.html';
const FILES: ReadonlySet<string> = new Set(SHELL.files);
/** Named by their content: the same name is the same file in every build. */
const HASHED = '/assets/';
/** The addresses of `app/router.svelte.ts`; the server answers all others. */
const VIEWS = /^\/(?:(?:rooms|join|browse|threads|mentions|saved|settings|sign-in|sign-up)(?:\/.*)?)?$/;

async function cacheFiles(): Promise<void> {
  const cache = await caches.open(CACHE);
  await cache.addAll(
    SHELL.files.map(
      (file) => new Request(file, { cache: file.startsWith(HASHED) ? 'default' : 'no-cache' }),
    ),
  );
}

async function deleteOldCaches(): Promise<void> {
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith(PREFIX) && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
  await worker.clients.claim();
}

async function findCached(path: string): Promise<Response | undefined> {
  try {
    const cache = await caches.open(CACHE);
    // `Vary` refers to the compression, which is undone in the cache.
    return await cache.match(path, { ignoreVary: true });
  } catch {
    // If the cache is broken, use the network.
    return undefined;
  }
}

async function putCached(path: string, answer: Response): Promise<void> {
  try {
    await (await caches.open(CACHE)).put(path, answer);
  } catch {
    // No space left: it is fetched again next time.
  }
}

/** Browsers may clear the cache at any time. */
async function cachedOrFetched(path: string, request: Request): Promise<Response> {
  return (await findCached(path)) ?? fetch(request);
}

/** For files that are too large to fetch before somebody needs them. */
async function cachedAtFirstUse(path: string, request: Request): Promise<Response> {
  const known = await findCached(path);
  if (known) return known;
  const answer = await fetch(request);
  if (answer.status === 200) await putCached(path, answer.clone());
  return answer;
}

function responseTo(request: Request): Promise<Response> | null {
  const { origin, pathname } = new URL(request.url);
  if (request.method !== 'GET' || origin !== location.origin) return null;
  // The page of this build, since it belongs to the cached files; a newer build is offered.
  if (request.mode === 'navigate') {
    return VIEWS.test(pathname) ? cachedOrFetched(PAGE, request) : null;
  }
  if (FILES.has(pathname)) return cachedOrFetched(pathname, request);
  return pathname.startsWith(HASHED) ? cachedAtFirstUse(pathname, request) : null;
}

worker.addEventListener('install', (event) => event.waitUntil(cacheFiles()));
worker.addEventListener('activate', (event) => event.waitUntil(deleteOldCaches()));
worker.addEventListener('message', ({ data }) => {
  if (data === 'take over') void worker.skipWaiting();
});
worker.addEventListener('fetch', (event) => {
  const answer = responseTo(event.request);
  if (answer) event.respondWith(answer);
});
