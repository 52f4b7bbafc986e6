import 'fake-indexeddb/auto';
import { afterEach, expect, test } from 'vitest';
import { Chat, type Callbacks } from '../../src/data/chat';
import { rememberSession } from '../../src/data/local';

const nothing = () => undefined;
const callbacks: Callbacks = {
  changed: nothing,
  notice: nothing,
  heard: nothing,
  ended: nothing,
  becameAnother: nothing,
};

afterEach(() => rememberSession(null));

test('a room that comes on screen while the browser’s database is read stays open', async () => {
  rememberSession({ user: 'ana', epoch: 'e1' });
  const silent = { send: nothing, close: nothing } as unknown as WebSocket;
  const chat = new Chat('ana', callbacks, { connect: () => silent, random: () => 1 });
  const started = chat.start();
  chat.open('tea');
  chat.follow(false);
  await started;
  expect(chat.state).toMatchObject({ epoch: 'e1', open: 'tea', following: false });
  await chat.stop();
});
