// @vitest-environment jsdom
// Everything that outlives a build of the web client, or that another program reads: what it stores in
// the browser, its addresses, and the words of the frames and requests it sends. A person's browser
// still holds what an older build stored, so changing one of the files beside this test needs a
// migration.
import 'fake-indexeddb/auto';
import { IDBFactory } from 'fake-indexeddb';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { rememberEmoji } from '../../src/emoji/emoji';
import { saveMode, saveText } from '../../src/drafts/local';
import { language } from '../../src/words/language.svelte';
import { signedOutNotice, pendingSignOut } from '../../src/app/session/leaving';
import { pathOf, routeOf, router } from '../../src/app/router.svelte';
import { rememberRoom } from '../../src/app/startingRoom';
import { theme } from '../../src/app/page/theme.svelte';
import * as api from '../../src/data/wire/api';
import { resultOf } from '../../src/data/storage/database';
import { storeItem, knownKey, rememberSession } from '../../src/data/storage/local';
import { Outbox } from '../../src/data/storage/outbox';
import type { CommandName, Fields, MyRoom, ServerEvent, OneWayCommands } from '../../src/data/wire/protocol';
import { browserEnvironment, Socket, type SocketObserver } from '../../src/data/wire/socket';
import { INITIAL, toMessage, toRoomState } from '../../src/data/state/state';
import { Store } from '../../src/data/storage/store';
import { toolbar } from '../../src/views/composer/toolbar/toolbar.svelte';
import { countReaction } from '../../src/emoji/favourites';
import { eventually } from '../support/eventually';

vi.mock('../../src/app/page/reload', () => ({ reload: vi.fn() }));

const expectFile = (name: string, found: unknown) =>
  expect(`${JSON.stringify(found, null, 1)}\n`).toMatchFileSnapshot(`${name}.json`);

beforeEach(() => {
  // Test files that run in one process share the databases.
  vi.stubGlobal('indexedDB', new IDBFactory());
  localStorage.clear();
  sessionStorage.clear();
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

const everything = (storage: Storage) =>
  Object.fromEntries(Object.keys(storage).sort().map((key) => [key, storage.getItem(key)]));

async function describeDatabase(name: string): Promise<object> {
  const db = await resultOf(indexedDB.open(name));
  const names = [...db.objectStoreNames].sort();
  const tx = db.transaction(names);
  const stores: Record<string, object> = {};
  for (const store of names) {
    const table = tx.objectStore(store);
    const indexes = [...table.indexNames].map((index) => {
      const { keyPath, unique } = table.index(index);
      return { index, keyPath, unique };
    });
    const { keyPath, autoIncrement } = table;
    const keys = keyPath === null ? await resultOf(table.getAllKeys()) : undefined;
    stores[store] = { keyPath, autoIncrement, indexes, keys, rows: await resultOf(table.getAll()) };
  }
  const { version } = db;
  db.close();
  return { version, stores };
}

const WIRE_ROOM: Required<MyRoom> = {
  room: 'lobby',
  kind: 'public',
  title: 'Lobby',
  topic: 'All of us',
  seq: 1,
  rev: 1,
  mrev: 1,
  members: 2,
  created_at: 3,
  archived: false,
  parent: null,
  parent_seq: null,
  role: 'member',
  read_seq: 1,
  mentions: 0,
  notify: 'all',
  hidden: false,
  people: [{ name: 'bo', display_name: 'Bo' }],
  added_by: 'bo',
};

test('databases and the shape of their rows', async () => {
  const store = new Store('epoch-1', 'ana');
  await store.load(INITIAL);
  const message = toMessage({ room: 'lobby', seq: 1, rev: 1, by: 'bo', at: 4, text: 'Hello' });
  store.keep(message);
  const room = { ...toRoomState(WIRE_ROOM, 1), have: 1, live: { messages: [message], start: true } };
  const limits = { text: 1, frame_bytes: 2, page: 3 };
  await store.save({
    ...INITIAL,
    me: { name: 'ana', display_name: 'Ana', role: 'member', rev: 1 },
    server: { name: 'S', version: '1', registration: 'open', guests: false, needs_owner: false, limits },
    rooms: new Map([['lobby', room]]),
    people: new Map([['bo', { name: 'bo', display_name: 'Bo' }]]),
  });
  await store.close();

  const channels: string[] = [];
  const told: object[] = [];
  const locks: string[] = [];
  vi.stubGlobal(
    'BroadcastChannel',
    class {
      constructor(name: string) {
        channels.push(name);
      }
      postMessage(what: object): void {
        if (!told.some((one) => JSON.stringify(one) === JSON.stringify(what))) told.push(what);
      }
      close(): void {}
    },
  );
  const request = (name: string, run: () => Promise<void>) => {
    locks.push(name);
    return run();
  };
  Object.defineProperty(navigator, 'locks', { configurable: true, value: { request } });
  vi.spyOn(crypto, 'getRandomValues').mockImplementation((bytes) => bytes);
  const ready = { is: false };
  const outbox = await Outbox.open(
    'ana',
    { isReady: () => ready.is, post: async () => ({ seq: 2, rev: 2, at: 5 }) },
    () => undefined,
  );
  await outbox.add({ room: 'lobby.1', text: 'Hi', kind: 'me', replyTo: 1, alsoInRoom: true }, 5);
  const names = (await indexedDB.databases()).map(({ name = '' }) => name).sort();
  const databases = Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await describeDatabase(name)] as const)),
  );
  ready.is = true;
  await outbox.drain();
  outbox.close();
  Reflect.deleteProperty(navigator, 'locks');
  await expectFile('databases', { databases, channels, told, locks: [...new Set(locks)] });
});

test('storage keys and their values', async () => {
  rememberSession({ user: 'ana', epoch: 'epoch-1' });
  saveText('ana', 'lobby', null, 'a draft');
  saveText('ana', 'lobby', 41, 'an edit');
  saveMode('ana', 'lobby', { mode: 'reply', seq: 41 });
  saveMode('ana', 'tea', { mode: 'edit', seq: 3 });
  const { UNKNOWN } = await import('../../src/drafts/merge');
  storeItem(knownKey('ana'), JSON.stringify({ epoch: 'epoch-1', rooms: { lobby: UNKNOWN } }));
  countReaction('ana', '👍');
  rememberEmoji('🎉');
  rememberRoom('lobby');
  toolbar.toggle();
  theme.choose('dark');
  await language.choose('de');
  pendingSignOut.begin();
  signedOutNotice.set();
  await expectFile('storage', {
    localStorage: everything(localStorage),
    sessionStorage: everything(sessionStorage),
  });
  toolbar.toggle();
  expect(localStorage.getItem('hubbub.formatting')).toBe('hidden');
  await language.choose(null);
  theme.choose('system');
});

test('addresses', async () => {
  const paths = [
    '/', '/sign-in', '/sign-up', '/join/abc%2Fd', '/browse', '/threads', '/mentions', '/saved',
    '/settings', '/settings/profile', '/settings/password', '/settings/devices',
    '/settings/appearance', '/settings/blocked', '/settings/server', '/settings/people',
    '/settings/invites', '/settings/about', '/settings/none', '/rooms/lobby', '/rooms/lobby/41',
    '/rooms/lobby/details', '/rooms/lobby/41/thread', '/rooms/lobby/41/thread/3', '/rooms/lobby.41',
    '/rooms/lobby.41/3', '/rooms/a%20b', '/nowhere',
  ];
  const addresses = Object.fromEntries(paths.map((path) => [path, pathOf(routeOf(path))]));
  history.replaceState(null, '', '/browse');
  router.go(routeOf('/rooms/lobby/41'));
  await expectFile('addresses', { addresses, history: history.state as object });
});

/** Each command with every possible field; TypeScript reports a missing one. */
const COMMANDS: { [C in CommandName]: Required<Fields<C>> } = {
  hello: { epoch: 'epoch-1', rooms: { lobby: 1 } },
  post: { room: 'r', text: 't', nonce: 'n', reply_to: 1, kind: 'me', also_in_room: true },
  edit: { room: 'r', seq: 1, text: 't' },
  delete: { room: 'r', seq: 1 },
  forward: { room: 'r', seq: 1, to: 'q', text: 't', nonce: 'n' },
  react: { room: 'r', seq: 1, emoji: '👍', on: false },
  reactions: { room: 'r', seq: 1 },
  pin: { room: 'r', seq: 1, on: false },
  pins: { room: 'r' },
  bookmark: { room: 'r', seq: 1, note: 'n', on: false },
  bookmarks: { after: 'a', limit: 1 },
  draft: { room: 'r', text: 't', reply_to: 1 },
  drafts: {},
  mentions: { unread: true, after: 'a', limit: 1 },
  threads: { unread: true, after: 'a', limit: 1 },
  history: { room: 'r', before: 1, after: 1, around: 1, limit: 1 },
  sync: { room: 'r', after: 1 },
  read: { room: 'r', seq: 1, back: true },
  join: { room: 'r' },
  leave: { room: 'r' },
  watch: { room: 'r' },
  unwatch: { room: 'r' },
  create_room: { title: 't', room: 'r', kind: 'private', topic: 't', members: ['bo'] },
  direct: { users: ['bo'] },
  invite: { room: 'r', user: 'bo' },
  kick: { room: 'r', user: 'bo' },
  set_role: { room: 'r', user: 'bo', role: 'moderator' },
  update_room: { room: 'r', title: 't', topic: 't', archived: true },
  delete_room: { room: 'r' },
  prefs: { room: 'r', notify: 'none', hidden: true, stay: true },
  members: { room: 'r', after: 'a', limit: 1 },
  rooms: { q: 'q', after: 'a', limit: 1 },
  users: { names: ['bo'], q: 'q', after: 'a', limit: 1 },
  block: { user: 'bo', on: false },
  blocks: {},
  me: {},
  update_me: { display_name: 'Ana' },
  sessions: {},
  end_session: { session: 's' },
  create_invite: { days: 1, uses: 1 },
  invites: {},
  end_invite: { invite: 'i' },
  disable_user: { user: 'bo', disabled: true },
  update_server: { name: 'n', registration: 'open', guests: true },
  about: {},
};

const TELLINGS: OneWayCommands = { typing: { room: 'r' }, active: { active: true } };

const EVENTS: Record<ServerEvent['on'], true> = {
  message: true, marks: true, reset: true, synced: true, typing: true, room: true, member: true,
  removed: true, read: true, presence: true, behind: true, notice: true, user: true, me: true,
  bookmark: true, draft: true, block: true, server: true,
};

test('the socket and its frames', async () => {
  const opened: unknown[] = [];
  const sent: string[] = [];
  class FakeSocket {
    static readonly OPEN = 1;
    readyState = 1;
    constructor(address: URL, protocol: string) {
      opened.push({ path: address.pathname, protocol });
    }
    send(frame: string): void {
      sent.push(frame);
    }
    close(): void {}
  }
  vi.stubGlobal('WebSocket', FakeSocket);
  const socket = new Socket({} as SocketObserver, browserEnvironment());
  socket.start();
  for (const [command, fields] of Object.entries(COMMANDS)) {
    socket.request(command as 'me', fields as Fields<'me'>).catch(() => undefined);
  }
  for (const [command, fields] of Object.entries(TELLINGS)) {
    socket.sendOneWay(command as 'typing', fields as OneWayCommands['typing']);
  }
  socket.stop();
  await expectFile('frames', {
    socket: opened,
    sent: sent.map((frame) => JSON.parse(frame) as object),
    heard: Object.keys(EVENTS).sort(),
  });
});

test('HTTP requests', async () => {
  const asked: unknown[] = [];
  vi.stubGlobal('fetch', async (path: string, { method = 'GET', body = '' } = {}) => {
    asked.push([method, path, body]);
    return new Response('{}');
  });
  await api.fetchServerInfo();
  await api.fetchMe();
  await api.signUp({ name: 'ana', password: 'p', display_name: 'Ana', invite: 'i' });
  await api.signIn('ana', 'p');
  await api.signInAsGuest('ana');
  await api.signOut();
  await api.changePassword('old', 'new');
  await api.updateServer({ name: 'S', registration: 'open', guests: true });
  await api.createInvite({ days: 1, uses: 2 });
  await expectFile('requests', asked);
});

test('the service worker: its address, caches and messages', async () => {
  // Another test file in this process may have loaded these modules.
  vi.resetModules();
  const { updates } = await import('../../src/app/page/updates.svelte');
  const caches: string[] = [];
  const deleted: string[] = [];
  const listeners = new Map<string, (event: object) => void>();
  const skipWaiting = vi.fn(async () => undefined);
  vi.stubGlobal('SHELL', { version: '1', files: [] });
  vi.stubGlobal('self', {
    addEventListener: (type: string, listener: () => void) => listeners.set(type, listener),
    skipWaiting,
    clients: { claim: async () => undefined },
  });
  vi.stubGlobal('caches', {
    open: async (name: string) => {
      caches.push(name);
      return { addAll: async () => undefined };
    },
    keys: async () => ['hubbub-0', 'hubbub-1', 'another'],
    delete: async (name: string) => deleted.push(name),
  });
  await import('../../src/worker/sw');
  for (const type of ['install', 'activate']) {
    let work: unknown;
    listeners.get(type)?.({ waitUntil: (promise: unknown) => (work = promise) });
    await work;
  }

  const registered: unknown[] = [];
  const policies: string[] = [];
  const messages: unknown[] = [];
  vi.stubGlobal('trustedTypes', {
    createPolicy: (name: string, rules: object) => {
      policies.push(name);
      return rules;
    },
  });
  const waiting = { postMessage: (message: unknown) => messages.push(message), addEventListener() {} };
  const container = {
    controller: {},
    addEventListener: () => undefined,
    register: async (...of: unknown[]) => {
      registered.push(of);
      return { waiting, installing: null, addEventListener: () => undefined };
    },
  };
  Object.defineProperty(navigator, 'serviceWorker', { configurable: true, value: container });
  await import('../../src/app/page/serviceWorker');
  await eventually(() => {
    updates.apply();
    expect(messages).not.toEqual([]);
  });
  Reflect.deleteProperty(navigator, 'serviceWorker');
  for (const data of messages) listeners.get('message')?.({ data });
  expect(skipWaiting).toHaveBeenCalledOnce();
  await expectFile('worker', { caches, deleted, registered, policies, messages });
});
