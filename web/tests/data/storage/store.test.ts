import 'fake-indexeddb/auto';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Welcome } from '../../../src/data/wire/protocol';
import { onEvent } from '../../../src/data/state/reducer';
import { onWelcome } from '../../../src/data/state/replies';
import { INITIAL, toMarks, toMessage, type State } from '../../../src/data/state/state';
import { eraseCaches, Store } from '../../../src/data/storage/store';
import { ModelServer } from '../model';

let server: ModelServer;
let user = 0;
let epoch = '';

beforeEach(() => {
  user += 1;
  epoch = `e${user}`;
  server = new ModelServer(['lobby'], ['ana', 'bo'], { page: 50, reply: 1_000, changes: 1_000 });
});

function welcomed(state: State = INITIAL): State {
  const welcome: Welcome = server.welcome('ana');
  let next = onWelcome(state, welcome);
  const have = state.rooms.get('lobby')?.have;
  const known = have === null || have === undefined ? {} : { lobby: have };
  for (const event of server.catchUp(state.epoch, known as Record<string, number>)) {
    next = onEvent(next, event, 0);
  }
  return next;
}

function texts(state: State): string[] {
  return (state.rooms.get('lobby')?.live.messages ?? []).map((message) => message.text);
}

async function saveState(state: State): Promise<void> {
  const store = new Store(epoch, 'ana');
  for (const message of state.rooms.get('lobby')?.live.messages ?? []) store.keep(message);
  await store.save(state);
  await store.close();
}

describe('the store', () => {
  test('loads what was received, and continues from there', async () => {
    for (const text of ['one', 'two']) server.post('lobby', 'bo', text, text);
    await saveState(welcomed());
    const opened = await new Store(epoch, 'ana').load(INITIAL);
    expect(texts(opened)).toEqual(['one', 'two']);
    expect(opened.rooms.get('lobby')?.have).toBe(2);

    server.edit('lobby', 1, 'won');
    server.post('lobby', 'bo', 'three', 'three');
    expect(texts(welcomed({ ...opened, epoch: server.epoch }))).toEqual(['won', 'two', 'three']);
  });

  test('shows nothing of a room whose messages are lost', async () => {
    server.post('lobby', 'bo', 'one', 'one');
    const store = new Store(epoch, 'ana');
    await store.save(welcomed());
    const opened = await new Store(epoch, 'ana').load(INITIAL);
    expect(opened.rooms.get('lobby')?.have).toBeNull();
    expect(texts(opened)).toEqual([]);
  });

  test('never replaces a newer state by an older one', async () => {
    server.post('lobby', 'bo', 'one', 'one');
    const state = welcomed();
    const old = toMessage(server.at('lobby').messages[0]!);
    const newer = toMessage(server.edit('lobby', 1, 'edited'));
    const store = new Store(epoch, 'ana');
    store.keep(newer);
    store.keep(old);
    await store.save(state);
    expect(texts(await new Store(epoch, 'ana').load(INITIAL))).toEqual(['edited']);
  });

  test('applies marks to a message that nobody is looking at', async () => {
    server.post('lobby', 'bo', 'one', 'one');
    await saveState(welcomed());
    const event = server.react('lobby', 1, 'bo', '👍')!;
    const state = onEvent(welcomed(), event, 0);
    const store = new Store(epoch, 'ana');
    const marks = toMarks(event, event.rev);
    store.keep({ room: 'lobby', seq: 1, marks });
    store.keep({ room: 'lobby', seq: 99, marks });
    // As an old page of history may still contain it.
    store.keep({ ...state.rooms.get('lobby')!.live.messages[0]!, marks: toMarks({}, 0) });
    await store.save(state);
    const [message, ...others] = await store.before('lobby', 2, 10);
    expect(message).toMatchObject({ text: 'one', marks });
    expect(others).toEqual([]);
  });

  test('clears a room that was reset or removed', async () => {
    for (const text of ['one', 'two']) server.post('lobby', 'bo', text, text);
    const state = welcomed();
    await saveState(state);
    const store = new Store(epoch, 'ana');
    const loaded = await store.load(INITIAL);
    store.forget('lobby');
    store.keep(state.rooms.get('lobby')!.live.messages[1]!);
    await store.save({ ...state });
    expect(texts(await new Store(epoch, 'ana').load(INITIAL))).toEqual(['two']);

    await store.save({ ...loaded, rooms: new Map() });
    const empty = await new Store(epoch, 'ana').load(INITIAL);
    expect(empty.rooms.size).toBe(0);
    expect(await store.before('lobby', 3, 10)).toEqual([]);
  });

  test('reads further back offline, up to the first gap', async () => {
    for (let seq = 1; seq <= 30; seq += 1) server.post('lobby', 'bo', `${seq}`, `${seq}`);
    const state = welcomed();
    const store = new Store(epoch, 'ana');
    const { messages } = state.rooms.get('lobby')!.live;
    for (const message of messages) if (message.seq !== 4) store.keep(message);
    await store.save(state);
    const page = await store.before('lobby', 20, 60);
    expect(page.map((message) => message.seq)).toEqual([...Array(15)].map((_, index) => index + 5));
  });

  test('has one database per epoch, and signing out deletes all', async () => {
    await saveState(welcomed());
    await new Store(`${epoch}-restored`, 'ana').save(welcomed());
    const names = async () =>
      (await indexedDB.databases()).filter((one) => one.name?.includes(`ana:${epoch}`)).length;
    expect(await names()).toBe(2);
    await eraseCaches('ana', `hubbub-cache:ana:${epoch}`);
    expect(await names()).toBe(1);
    await eraseCaches('ana');
    expect(await names()).toBe(0);
  });
});
