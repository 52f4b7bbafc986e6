import 'fake-indexeddb/auto';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Outbox, type Exclusively, type Sender } from '../../../src/data/storage/outbox';
import type { Fields } from '../../../src/data/wire/protocol';
import { Disconnected, Refused } from '../../../src/data/wire/errors';
import { eventually } from '../../support/eventually';

const alone: Exclusively = (_name, run) => run();

type Post = Fields<'post'>;

class FakeServer implements Sender {
  ready = true;
  got: Post[] = [];
  /** Errors for the next posts. */
  answers: Error[] = [];

  isReady(): boolean {
    return this.ready;
  }

  async post(fields: Post) {
    const answer = this.answers.shift();
    if (answer) {
      if (answer instanceof Disconnected) this.ready = false;
      throw answer;
    }
    this.got.push(fields);
    return { seq: this.got.length, rev: this.got.length, at: 0 };
  }

  get texts(): string[] {
    return this.got.map((post) => post.text);
  }
}

let user = 0;
let name: string;
const opened: Outbox[] = [];

async function open(sender: Sender, exclusively: Exclusively = alone): Promise<Outbox> {
  const outbox = await Outbox.open(name, sender, () => undefined, exclusively);
  opened.push(outbox);
  return outbox;
}

function draft(text: string, room = 'lobby') {
  return { room, text, kind: 'text' as const, replyTo: null };
}

beforeEach(() => {
  user += 1;
  name = `user${user}`;
});

afterEach(() => {
  for (const outbox of opened.splice(0)) outbox.close();
});

describe('the outbox', () => {
  test('keeps messages across a reload and sends them in order', async () => {
    const server = new FakeServer();
    server.ready = false;
    const before = await open(server);
    for (const text of ['one', 'two', 'three']) await before.add(draft(text), 0);
    before.close();

    server.ready = true;
    const after = await open(server);
    expect(after.items.map((item) => item.text)).toEqual(['one', 'two', 'three']);
    await after.drain();
    expect(server.texts).toEqual(['one', 'two', 'three']);
    expect((await open(server)).items).toEqual([]);
  });

  test('resends unacknowledged messages with the same nonce', async () => {
    const server = new FakeServer();
    server.answers = [new Disconnected()];
    const outbox = await open(server);
    const { nonce } = await outbox.add(draft('hi'), 0);
    await eventually(() => expect(server.ready).toBe(false));
    server.ready = true;
    await outbox.drain();
    expect(server.got).toEqual([{ room: 'lobby', text: 'hi', nonce }]);
  });

  test('keeps the order in a room while its first message has to wait', async () => {
    const server = new FakeServer();
    server.answers = [new Refused({ code: 'busy', message: 'Busy.', retry_after: 0.01 })];
    const outbox = await open(server);
    await outbox.add(draft('one'), 0);
    await outbox.add(draft('two'), 0);
    await eventually(() => expect(server.texts).toEqual(['one', 'two']));
  });

  test('leaves rejected messages to the user, and continues with the rest', async () => {
    const server = new FakeServer();
    server.answers = [new Refused({ code: 'too_large', message: 'Too long.' })];
    const outbox = await open(server);
    await outbox.add(draft('long'), 0);
    await outbox.add(draft('short'), 0);
    await eventually(() => expect(server.texts).toEqual(['short']));
    const failed = () => outbox.items.filter((item) => item.failed !== null);
    expect(failed().map((item) => [item.text, item.failed])).toEqual([['long', 'Too long.']]);

    outbox.retry(failed()[0]?.nonce ?? '');
    await eventually(() => expect(server.texts).toEqual(['short', 'long']));
  });

  test('waits for the next sign-in', async () => {
    const server = new FakeServer();
    server.answers = [new Refused({ code: 'sign_in_required', message: 'Sign in first.' })];
    const outbox = await open(server);
    await outbox.add(draft('hi'), 0);
    await eventually(() => expect(server.answers).toEqual([]));
    expect(outbox.items.map((item) => item.failed)).toEqual([null]);
    await outbox.drain();
    expect(server.texts).toEqual(['hi']);
  });

  test('shows a sent message until the server’s copy arrives, in any order', async () => {
    const server = new FakeServer();
    const outbox = await open(server);
    const first = await outbox.add(draft('one'), 0);
    await eventually(() => expect(outbox.items[0]?.sent).toBe(true));
    outbox.confirm(first.nonce);
    expect(outbox.items).toEqual([]);

    server.ready = false;
    const second = await outbox.add(draft('two'), 0);
    outbox.confirm(second.nonce);
    server.ready = true;
    await eventually(async () => expect((await open(server)).items).toEqual([]));
  });

  test('two tabs send each message once, and both see it being sent', async () => {
    const server = new FakeServer();
    let last: Promise<void> = Promise.resolve();
    const taking: Exclusively = (_name, run) => (last = last.then(run));
    const here = await open(server, taking);
    const there = await open(server, taking);
    await here.add(draft('one'), 0);
    await eventually(() => expect(there.items.length).toBe(1));
    await Promise.all([here.drain(), there.drain()]);
    expect(server.texts).toEqual(['one']);
    await eventually(() => expect(there.items.every((item) => item.sent)).toBe(true));
  });

  test('a message confirmed before this tab knew of it is not shown again', async () => {
    const server = new FakeServer();
    server.ready = false;
    const here = await open(server);
    const there = await open(server);
    const { nonce } = await here.add(draft('one'), 0);
    there.confirm(nonce);
    await eventually(() => expect(here.items.length).toBe(1));
    await here.add(draft('two'), 0);
    await eventually(() => expect(there.items.map((item) => item.text)).toEqual(['two']));
  });

  test('a message that the browser cannot store is rejected, and leaves no row', async () => {
    const server = new FakeServer();
    const outbox = await open(server);
    const full = new DOMException('The disk is full.', 'QuotaExceededError');
    const add = vi.spyOn(IDBObjectStore.prototype, 'add').mockImplementation(() => {
      throw full;
    });
    await expect(outbox.add(draft('hi'), 0)).rejects.toBe(full);
    add.mockRestore();
    expect(outbox.items).toEqual([]);
    await outbox.add(draft('again'), 0);
    await eventually(() => expect(server.texts).toEqual(['again']));
  });

  test('a message whose reply comes after closing is sent again with its nonce', async () => {
    const server = new FakeServer();
    let answer: () => void = () => undefined;
    const late: Sender = {
      isReady: () => true,
      post: async (fields) => {
        const taken = await server.post(fields);
        await new Promise<void>((resolve) => (answer = resolve));
        return taken;
      },
    };
    const before = await open(late);
    await before.add(draft('hello'), 0);
    await eventually(() => expect(server.got).toHaveLength(1));
    const drained = before.drain();
    before.close();
    answer();
    await drained;

    await (await open(server)).drain();
    expect(server.got.map((post) => post.nonce)).toEqual([server.got[0]?.nonce, server.got[0]?.nonce]);
  });

  test('a discarded message is not sent', async () => {
    const server = new FakeServer();
    server.ready = false;
    const outbox = await open(server);
    const { nonce } = await outbox.add(draft('never mind'), 0);
    await outbox.remove(nonce);
    server.ready = true;
    await outbox.drain();
    expect(server.got).toEqual([]);
    expect(outbox.items).toEqual([]);
  });
});
