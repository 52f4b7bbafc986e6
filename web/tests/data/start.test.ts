// @vitest-environment jsdom
import 'fake-indexeddb/auto';
import { afterEach, expect, test, vi } from 'vitest';
import { Chat, type Callbacks } from '../../src/data/chat';
import { resultOf } from '../../src/data/storage/database';
import { saveDraft, loadLastSession, rememberSession } from '../../src/data/storage/local';

const ignore = () => undefined;
const callbacks: Callbacks = {
  changed: ignore,
  notice: ignore,
  heard: ignore,
  ended: ignore,
  userChanged: ignore,
};

const silent = { send: ignore, close: ignore } as unknown as WebSocket;

afterEach(() => {
  rememberSession(null);
  vi.restoreAllMocks();
});

test('a room opened while the database is loading stays open', async () => {
  rememberSession({ user: 'ana', epoch: 'e1' });
  const chat = new Chat('ana', callbacks, { connect: () => silent, random: () => 1 });
  const started = chat.start();
  chat.open('tea');
  chat.follow('tea', false);
  await started;
  expect(chat.state).toMatchObject({ epoch: 'e1', open: new Map([['tea', false]]) });
  await chat.stop();
});

test('without databases one can read and sign out, and keeps the text of a failed post', async () => {
  vi.spyOn(console, 'warn').mockImplementation(ignore);
  rememberSession({ user: 'bo', epoch: 'e1' });
  // Written by a later release, so this one cannot open them.
  for (const name of ['hubbub-cache:bo:e1', 'hubbub-outbox:bo']) {
    (await resultOf(indexedDB.open(name, 99))).close();
  }
  let attempts = 0;
  const connect = () => {
    attempts += 1;
    return silent;
  };
  const chat = new Chat('bo', callbacks, { connect, random: () => 1 });
  await chat.start();
  expect(attempts).toBe(1);
  // The composer restores the text.
  const draft = { room: 'tea', text: 'hi', kind: 'text' as const, replyTo: null };
  await expect(chat.post(draft)).rejects.toThrow();
  await chat.erase({ unsent: true });
  expect(await indexedDB.databases()).not.toContainEqual(expect.objectContaining({ version: 99 }));
});

test('after a sign-in in another tab, that person stays stored as the last one', async () => {
  const chat = new Chat('~ana', callbacks, { connect: () => silent, random: () => 1 });
  await chat.start();
  rememberSession({ user: 'bo', epoch: 'e1' });
  await chat.erase({ unsent: false });
  expect(loadLastSession()?.user).toBe('bo');
});

test('a browser without space left stores less, and everything else works', () => {
  vi.spyOn(Storage.prototype, 'setItem').mockImplementation(() => {
    throw new DOMException('Full.', 'QuotaExceededError');
  });
  expect(() => rememberSession({ user: 'ana', epoch: 'e1' })).not.toThrow();
  expect(() => saveDraft('ana', 'tea', 'hi')).not.toThrow();
});
