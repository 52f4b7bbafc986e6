import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { DraftSync, type DraftStore } from '../../src/drafts/sync';
import { needsSending, mergeTexts, onOwn, onIdle, onTheirs, UNKNOWN, type KnownDraft } from '../../src/drafts/merge';
import type { Draft, ServerEvent } from '../../src/data/wire/protocol';
import { Disconnected, Refused } from '../../src/data/wire/errors';

describe('a draft written on two devices', () => {
  test('is the text of the device that continued', () => {
    expect(mergeTexts('', '', 'theirs')).toBe('theirs');
    expect(mergeTexts('a', 'a', 'a b')).toBe('a b');
    expect(mergeTexts('a', 'a b', 'a')).toBe('a b');
    expect(mergeTexts('sent over there', 'sent over there', '')).toBe('');
  });

  test('keeps both texts if both continued', () => {
    expect(mergeTexts('a', 'a b', 'a c')).toBe('a b\na c');
    expect(mergeTexts('', 'hel', 'hello')).toBe('hello');
    expect(mergeTexts('a', 'a b', '')).toBe('a b');
    expect(mergeTexts('a', '', 'a b')).toBe('a b');
  });

  test('does not change while the user is typing', () => {
    const { known, text } = onTheirs(UNKNOWN, 'mine', 'theirs', true);
    expect(text).toBe('mine');
    expect(needsSending(known, text)).toBe(false);
    const rested = onIdle(known, text);
    expect(rested.text).toBe('mine\ntheirs');
    expect(needsSending(rested.known, rested.text)).toBe(true);
  });

  test('is applied at once if the user has typed nothing, or has paused', () => {
    expect(onTheirs(UNKNOWN, '', 'theirs', true).text).toBe('theirs');
    expect(onTheirs(UNKNOWN, 'mine', 'theirs', false).text).toBe('mine\ntheirs');
  });

  test('waiting aside follows later changes of its device, including deletion', () => {
    const first = onTheirs(UNKNOWN, 'mine', 'th', true);
    const then = onTheirs(first.known, 'mine', 'theirs', true);
    expect(onIdle(then.known, 'mine').text).toBe('mine\ntheirs');
    expect(onIdle(onTheirs(first.known, 'mine', '', true).known, 'mine').text).toBe('mine');
    // The device's own event must not remove anything.
    expect(onIdle(onOwn(first.known, 'mine'), 'mine').text).toBe('mine\nth');
  });
});

const ROOM = 'tea';

/** The one draft of one person on the server, with the order of its changes. */
class Server {
  text = '';
  at = 0;
  readonly devices: Device[] = [];
  readonly waiting: { from: Device; text: string; answer: (rev: number) => void; lose: () => void }[] = [];

  step(): void {
    const next = this.waiting.shift();
    if (!next) return;
    this.text = next.text;
    this.at += 1;
    for (const device of this.devices) {
      if (device.isOnline) device.inbox.push({ on: 'draft', rev: this.at, room: ROOM, text: this.text, at: this.at });
    }
    next.answer(this.at);
  }
}

class Device implements DraftStore {
  isOnline = true;
  inbox: ServerEvent[] = [];
  written = '';
  hasFocus = false;
  #known = UNKNOWN;
  readonly sync = new DraftSync(this, this);

  constructor(private readonly server: Server) {
    server.devices.push(this);
    this.sync.onEvent(null);
  }

  request(
    command: 'drafts' | 'draft',
    fields: { text?: string },
  ): Promise<{ drafts: Draft[]; rev: number }> {
    const { server } = this;
    if (!this.isOnline) return Promise.reject(new Disconnected());
    if (command === 'drafts') {
      const { text, at } = server;
      return Promise.resolve({ drafts: text ? [{ room: ROOM, text, at }] : [], rev: at });
    }
    return new Promise((resolve, reject) => {
      server.waiting.push({
        from: this,
        text: fields.text ?? '',
        answer: (rev) => resolve({ drafts: [], rev }),
        lose: () => reject(new Disconnected()),
      });
    });
  }

  rooms = (): string[] => [ROOM];
  text = (): string => this.written;
  replyTo = (): null => null;
  isTyping = (): boolean => this.hasFocus;
  known = (): KnownDraft => this.#known;

  put(_room: string, text: string): void {
    this.written = text;
  }

  keep(_room: string, known: KnownDraft): void {
    this.#known = known;
  }

  type(text: string): void {
    this.hasFocus = true;
    this.written += text;
    this.sync.onTyped(ROOM);
  }

  onEvent(): void {
    const event = this.inbox.shift();
    if (event) this.sync.onEvent(event);
  }

  onPause(): void {
    this.hasFocus = false;
    this.sync.onPause();
  }

  /** What has not reached the server never will. */
  disconnect(): void {
    this.isOnline = false;
    while (this.inbox.length > 0) this.onEvent();
    const { waiting } = this.server;
    for (const one of waiting.splice(0)) {
      if (one.from === this) one.lose();
      else waiting.push(one);
    }
  }

  connect(): void {
    if (this.isOnline) return;
    this.isOnline = true;
    this.sync.onEvent(null);
  }
}

/** Lets settled promises run. */
const settled = () => vi.advanceTimersByTimeAsync(0);

async function quiet(server: Server): Promise<void> {
  for (const device of server.devices) {
    device.connect();
    device.onPause();
  }
  for (let round = 0; round < 12; round += 1) {
    await vi.advanceTimersByTimeAsync(2_000);
    while (server.waiting.length > 0) {
      server.step();
      await settled();
    }
    for (const device of server.devices) while (device.inbox.length > 0) device.onEvent();
  }
}

describe('syncing drafts', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test('after a pause the other device has the draft, and after sending it is gone', async () => {
    const server = new Server();
    const [phone, desktop] = [new Device(server), new Device(server)] as const;
    await settled();
    phone.type('half a th');
    await vi.advanceTimersByTimeAsync(1_000);
    phone.type('ought');
    expect(server.waiting).toHaveLength(0);
    await quiet(server);
    expect(desktop.written).toBe('half a thought');
    phone.written = '';
    phone.sync.onTyped(ROOM);
    await quiet(server);
    expect([server.text, desktop.written]).toEqual(['', '']);
  });

  test('offline drafts are sent after reconnecting, but only after loading the server’s', async () => {
    const server = new Server();
    const [phone, desktop] = [new Device(server), new Device(server)] as const;
    await settled();
    phone.disconnect();
    phone.type('in the train');
    desktop.type('at the desk');
    await vi.advanceTimersByTimeAsync(2_000);
    server.step();
    phone.onPause();
    phone.connect();
    await quiet(server);
    expect(server.text).toBe('in the train\nat the desk');
    expect(desktop.written).toBe(server.text);
  });

  test('a refused draft stays on the device, and is not sent repeatedly', async () => {
    const server = new Server();
    const device = new Device(server);
    await settled();
    const refuse = vi.fn(() => Promise.reject(new Refused({ code: 'too_large', message: 'Long.' })));
    device.request = refuse;
    device.type('very long');
    await vi.advanceTimersByTimeAsync(9_000);
    device.onPause();
    await settled();
    expect(refuse).toHaveBeenCalledTimes(1);
    expect(device.written).toBe('very long');
  });

  test('no word is lost in any order of events, and all devices end with the same text', async () => {
    const step = fc.record({
      what: fc.constantFrom('type', 'pause', 'serve', 'hear', 'rest', 'send', 'disconnect', 'connect'),
      who: fc.nat(1),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80, size: 'max' }), async (steps) => {
        const server = new Server();
        const devices = [new Device(server), new Device(server)];
        await settled();
        const onTyped: string[] = [];
        let said = '';
        for (const { what, who } of steps) {
          const device = devices[who]!;
          if (what === 'type') {
            onTyped.push(`<${onTyped.length}>`);
            device.type(onTyped.at(-1)!);
          } else if (what === 'pause') device.sync.flush(ROOM);
          else if (what === 'serve') server.step();
          else if (what === 'hear') device.onEvent();
          else if (what === 'rest') device.onPause();
          else if (what === 'connect') device.connect();
          else if (what === 'disconnect') device.disconnect();
          else {
            said += device.written;
            device.written = '';
            device.sync.onTyped(ROOM);
          }
          await settled();
        }
        await quiet(server);
        expect(devices.map(({ written }) => written)).toEqual([server.text, server.text]);
        for (const word of onTyped) expect(said + server.text).toContain(word);
        for (const device of devices) device.sync.stop();
      }),
      { numRuns: 1000 },
    );
  });
});
