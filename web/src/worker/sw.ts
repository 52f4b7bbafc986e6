/**
 * The service worker: keeps the files of one build of the client, so that it opens without a
 * network. What people wrote never passes through here: all but the client's own files goes to the
 * network as if this were not there.
 */

// A module for the type checker, whose names stay its own.
export {};

/** Put in when the client is built (`build/worker.ts`). */
declare const SHELL: { version: string; files: string[] };

/** What a worker has that a page has not: TypeScript's types of both do not go together. */
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
/** Named by their content: the same name is the same file, of whichever build. */
const HASHED = '/assets/';
/** The addresses of `app/router.svelte.ts`; every other is the server's to answer. */
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
    // Vary tells of compression, which is undone in what is kept.
    return await cache.match(path, { ignoreVary: true });
  } catch {
    // A browser whose store is broken has a network all the same.
    return undefined;
  }
}

async function putCached(path: string, answer: Response): Promise<void> {
  try {
    await (await caches.open(CACHE)).put(path, answer);
  } catch {
    // No room: it is fetched again when it is next wanted.
  }
}

/** Browsers may clear what is kept at any time. */
async function cachedOrFetched(path: string, request: Request): Promise<Response> {
  return (await findCached(path)) ?? fetch(request);
}

/** For what is too large to be fetched before somebody wants it. */
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
  // The page of this build, since the files of this build belong to it; a newer one is offered.
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
