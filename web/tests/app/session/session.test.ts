// @vitest-environment jsdom
import 'fake-indexeddb/auto';
import { IDBFactory } from 'fake-indexeddb';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { pendingSignOut } from '../../../src/app/session/leaving';
import type { Me, ServerInfo } from '../../../src/data/wire/protocol';
import { eventually } from '../../support/eventually';

const ABOUT: ServerInfo = {
  name: 'Rowing club',
  version: '0.1.0',
  registration: 'open',
  guests: true,
  needs_owner: false,
  limits: { text: 16_000, frame_bytes: 262_144, page: 200 },
};

/** The server's answers; a function may throw, as when the server cannot be reached. */
type Answers = Record<string, () => { status?: number; body: unknown }>;

const signedOut = () => ({ status: 401, body: { code: 'sign_in_required', detail: 'Sign in.' } });
const unreachable = () => {
  throw new TypeError('Failed to fetch');
};
const as = (name: string, role: Me['role'] = 'member') => () => ({
  body: { me: { name, display_name: name, role }, rooms: [] },
});

let asked: string[] = [];
let sockets: FakeSocket[] = [];
const reload = vi.hoisted(() => vi.fn());

vi.mock('../../../src/app/page/reload', () => ({ reload }));

class FakeSocket {
  static readonly OPEN = 1;
  readyState = 0;
  onclose: ((event: { code: number }) => void) | null = null;
  constructor() {
    sockets.push(this);
  }
  send(): void {}
  close(): void {}
}

function server(answers: Answers): void {
  vi.stubGlobal('fetch', (path: string, { method = 'GET' } = {}) => {
    const what = `${method} ${path}`;
    asked.push(what);
    const answer = answers[what];
    if (!answer) return Promise.reject(new Error(`unexpected: ${what}`));
    try {
      const { status = 200, body } = answer();
      return Promise.resolve(new Response(JSON.stringify(body), { status }));
    } catch (error) {
      return Promise.reject(error);
    }
  });
}

async function fresh() {
  vi.resetModules();
  return (await import('../../../src/app/session/session.svelte')).session;
}

/** The auth module of the session created last. */
const auth = () => import('../../../src/app/session/auth');

async function listDatabases(): Promise<string[]> {
  const all = await indexedDB.databases();
  return all.map((one) => one.name ?? '').filter((name) => name.startsWith('hubbub'));
}

/** What a session stores in the browser. */
function fillStorage(user: string): void {
  localStorage.setItem('hubbub.session', JSON.stringify({ user, epoch: 'e1' }));
  localStorage.setItem(`hubbub.draft:${user}:lobby`, 'half a thought');
  localStorage.setItem('hubbub.room', 'lobby');
  localStorage.setItem('hubbub.theme', 'dark');
  localStorage.setItem('hubbub.language', 'de');
  localStorage.setItem('another.page', 'is not ours');
  sessionStorage.setItem(`hubbub.composing:${user}:lobby`, 'reply 4');
}

beforeEach(() => {
  asked = [];
  sockets = [];
  vi.stubGlobal('indexedDB', new IDBFactory());
  localStorage.clear();
  sessionStorage.clear();
  history.replaceState(null, '', '/rooms/lobby');
  reload.mockReset();
  vi.stubGlobal('WebSocket', FakeSocket);
});

afterEach(() => vi.unstubAllGlobals());

test('signing out erases everything of the account, and keeps what is not personal', async () => {
  fillStorage('ana');
  server({ 'POST /api/sign-out': () => ({ body: {} }) });
  const session = await fresh();
  await session.start();
  await session.currentChat.post({ room: 'lobby', text: 'not sent', kind: 'text', replyTo: null });
  expect((await listDatabases()).sort()).toEqual(['hubbub-cache:ana:e1', 'hubbub-outbox:ana']);

  await (await auth()).signOut();
  expect(await listDatabases()).toEqual([]);
  expect(Object.keys(localStorage).sort()).toEqual(['another.page', 'hubbub.language', 'hubbub.theme']);
  expect(reload).toHaveBeenCalledOnce();

  const next = await fresh();
  server({ 'GET /api/about': () => ({ body: ABOUT }), 'GET /api/me': signedOut });
  await next.start();
  expect(next.phase).toBe('out');
  expect(next.signedOutReason).toBe('signed-out');
  expect(Object.keys(sessionStorage)).toEqual([]);
});

test('a server that refuses to end the session leaves everything as it is', async () => {
  fillStorage('ana');
  server({ 'POST /api/sign-out': () => ({ status: 503, body: { code: 'busy', detail: 'Busy.' } }) });
  const session = await fresh();
  await session.start();
  await expect((await auth()).signOut()).rejects.toMatchObject({ code: 'busy' });
  expect(localStorage.getItem('hubbub.session')).not.toBeNull();
  expect(reload).not.toHaveBeenCalled();
  await session.currentChat.stop();
});

test('signing out without the server: erased at once, and ended before any other request', async () => {
  fillStorage('ana');
  server({});
  const session = await fresh();
  await session.start();
  await (await auth()).signOut({ server: false });
  expect(await listDatabases()).toEqual([]);
  expect(pendingSignOut.isDue).toBe(true);

  server({ 'POST /api/sign-out': unreachable });
  const away = await fresh();
  await away.start();
  expect(away.phase).toBe('out');
  expect(away.isUnreachable).toBe(true);
  // Only when it is true.
  expect(away.signedOutReason).toBeNull();
  expect(pendingSignOut.isDue).toBe(true);

  asked = [];
  server({
    'POST /api/sign-out': () => ({ body: {} }),
    'GET /api/about': () => ({ body: ABOUT }),
    'GET /api/me': signedOut,
  });
  await away.start();
  expect(asked[0]).toBe('POST /api/sign-out');
  expect(away.isUnreachable).toBe(false);
  expect(away.signedOutReason).toBe('signed-out');
  expect(pendingSignOut.isDue).toBe(false);
});

test('a session that ends keeps unsent text, and mentions it only if there is some', async () => {
  for (const [text, signedOutReason] of [['not sent', 'ended-unsent'], [null, 'ended']] as const) {
    const user = text ? 'bo' : 'cy';
    fillStorage(user);
    server({ 'GET /api/about': () => ({ body: ABOUT }) });
    const session = await fresh();
    await session.start();
    if (text) await session.currentChat.post({ room: 'lobby', text, kind: 'text', replyTo: null });
    sockets.at(-1)?.onclose?.({ code: 4001 });
    await eventually(() => expect(session.phase).toBe('out'));
    expect(session.signedOutReason).toBe(signedOutReason);
    expect(localStorage.getItem(`hubbub.draft:${user}:lobby`)).toBe('half a thought');
    expect(await listDatabases()).toContain(`hubbub-outbox:${user}`);
    await eventually(() => expect(session.about?.name).toBe('Rowing club'));
  }
});

test('when a guest gets an account, everything of the guest is erased', async () => {
  fillStorage('~gus');
  server({ 'POST /api/sign-up': as('gus') });
  const session = await fresh();
  await session.start();
  expect(session.isGuest).toBe(true);
  await (await auth()).signUp({ name: 'gus', password: 'three words do' });
  expect(session.user).toBe('gus');
  expect(session.isGuest).toBe(false);
  expect((await listDatabases()).join()).not.toContain('~gus');
  expect(Object.keys(localStorage).join()).not.toContain('~gus');
  await session.currentChat.stop();
});

test('a new owner is asked to set up the server first', async () => {
  server({
    'GET /api/about': () => ({ body: { ...ABOUT, needs_owner: true } }),
    'GET /api/me': signedOut,
    'POST /api/sign-up': as('olivia', 'owner'),
  });
  const session = await fresh();
  await session.start();
  await (await auth()).signUp({ name: 'olivia', password: 'three words do' });
  expect(session.phase).toBe('out');
  expect(session.newOwner?.name).toBe('olivia');
  await (await auth()).enterAsOwner();
  expect(session.phase).toBe('in');
  expect(session.user).toBe('olivia');
  await session.currentChat.stop();
});

test('a missing answer does not count as being signed out', async () => {
  server({ 'GET /api/about': () => ({ body: ABOUT }), 'GET /api/me': unreachable });
  const session = await fresh();
  await session.start();
  expect(session.isUnreachable).toBe(true);
  server({ 'GET /api/about': () => ({ body: ABOUT }), 'GET /api/me': as('ana') });
  await session.start();
  expect(session.phase).toBe('in');
  expect(session.isUnreachable).toBe(false);
  await session.currentChat.stop();
});
