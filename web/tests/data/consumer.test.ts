/** The rule for clients holds under any order, loss and repetition. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ServerEvent, SyncReply } from '../../src/data/wire/protocol';
import { onEvent } from '../../src/data/state/reducer';
import {
  onDisconnected,
  onPage,
  onPageFailed,
  onPageSent,
  onSynced,
  onSyncSent,
  onWelcome,
  onWelcomeOver,
} from '../../src/data/state/replies';
import { INITIAL, toMessage, shownSegment, countUnread, type State } from '../../src/data/state/state';
import { roomsToSync } from '../../src/data/sync';
import { ModelServer } from './model';

const ROOMS = ['general', 'random'];
const PEOPLE = ['ana', 'bo'];

/** Frames of one answer arrive in order; live events may overtake them and each other. */
type Stream = ((state: State) => State)[];

class Device {
  state: State = INITIAL;
  live: ServerEvent[] = [];
  streams: Stream[] = [];
  /** Rooms with pages of history under way. */
  pages: string[] = [];
  connected = false;

  constructor(
    readonly server: ModelServer,
    readonly who: string,
  ) {}

  connect(rooms?: string[]): void {
    const have: Record<string, number> = {};
    for (const room of this.state.rooms.values()) {
      if (room.have !== null) have[room.room] = room.have;
    }
    const epoch = this.state.epoch;
    this.connected = true;
    this.state = onWelcome(this.state, this.server.welcome(this.who));
    const events = this.server.catchUp(epoch, have, rooms);
    this.streams = [[...events.map(applying), onWelcomeOver]];
  }

  disconnect(): void {
    this.connected = false;
    this.live = [];
    this.streams = [];
    this.state = onDisconnected(this.state);
    for (const room of this.pages.splice(0)) this.state = onPageFailed(this.state, room);
  }

  hear(event: ServerEvent): void {
    if (this.connected) this.live.push(event);
  }

  ask(): void {
    if (!this.connected) return;
    for (const { room, have } of roomsToSync(this.state)) {
      this.state = onSyncSent(this.state, room);
      const { events, reply } = this.server.sync(room, have ?? 0);
      this.streams.push([...events.map(applying), synced(room, reply)]);
    }
  }

  page(room: string, before: number, around: boolean): void {
    if (!this.connected) return;
    const all = this.server.at(room).messages;
    const from = around ? Math.max(0, before - 3) : Math.max(0, before - 5);
    const messages = all.slice(from, around ? before + 2 : before - 1);
    if (messages.length === 0) return;
    const page = { messages, people: [], more_before: from > 0, more_after: true };
    const where = around ? 'around' : 'before';
    this.state = onPageSent(this.state, room);
    this.pages.push(room);
    this.streams.push([
      (state) => {
        this.pages.splice(this.pages.indexOf(room), 1);
        return onPage(state, room, page, where);
      },
    ]);
  }

  /** Delivers one frame: from an answer under way, or one of the next live events. */
  receive(choice: number): void {
    const ready = this.streams.length + (this.live.length > 0 ? 1 : 0);
    if (ready === 0) return;
    const pick = choice % ready;
    const stream = this.streams[pick];
    if (!stream) {
      const [event] = this.live.splice(choice % Math.min(3, this.live.length), 1);
      if (event) this.state = onEvent(this.state, event, 0);
      return;
    }
    const step = stream.shift();
    if (step) this.state = step(this.state);
    if (stream.length === 0) this.streams.splice(pick, 1);
  }

  settle(): void {
    for (let rounds = 0; rounds < 10_000; rounds += 1) {
      this.ask();
      if (this.streams.length === 0 && this.live.length === 0) return;
      this.receive(0);
    }
    throw new Error('does not come to rest');
  }
}

const applying = (event: ServerEvent) => (state: State) => onEvent(state, event, 0);
const synced = (room: string, reply: SyncReply) => (state: State) => onSynced(state, room, reply);

/** What must hold for a synced room when nothing is under way. */
function expectEqual(device: Device, name: string): void {
  const room = device.state.rooms.get(name);
  const truth = device.server.at(name);
  if (!room) throw new Error(`${name} is missing`);
  expect(room.have).toBe(truth.rev);
  expect(room.title).toBe(truth.title);
  expect(room.seq).toBe(truth.seq);
  const kept = room.live.messages;
  expect(kept).toEqual(truth.messages.slice(truth.seq - kept.length).map(toMessage));
  if (truth.seq > 0) expect(kept.length).toBeGreaterThan(0);
  for (const message of shownSegment(room).messages) {
    expect(message).toEqual(toMessage(truth.messages[message.seq - 1] as never));
  }
  expect(room.outOfOrder.size).toBe(0);
  expect(room.ahead.size).toBe(0);
  expect(room.earlyMarks.size).toBe(0);
  expect(room.readSeq).toBe(truth.readSeq.get(device.who));
  expect(countUnread(room)).toBe(truth.seq - (truth.readSeq.get(device.who) ?? 0));
}

type Step = readonly [what: string, room: number, who: number, number: number];

const step: fc.Arbitrary<Step> = fc.tuple(
  fc.constantFrom(
    'post', 'post', 'post', 'post', 'edit', 'delete', 'react', 'react', 'react', 'rename', 'read',
    'unread',
    'receive', 'receive', 'receive', 'receive', 'receive', 'ask', 'ask', 'page', 'around',
    'repeat', 'lose', 'drop', 'connect', 'open',
  ),
  fc.nat(1),
  fc.nat(1),
  fc.nat(50),
);

class World {
  server = new ModelServer(ROOMS, PEOPLE);
  devices = [new Device(this.server, 'ana'), new Device(this.server, 'ana'), new Device(this.server, 'bo')];
  nonce = 0;

  tell(event: ServerEvent, to: (device: Device) => boolean = () => true): void {
    for (const device of this.devices) if (to(device)) device.hear(event);
  }

  take([what, roomIndex, whoIndex, number]: Step): void {
    const name = ROOMS[roomIndex] as string;
    const who = PEOPLE[whoIndex] as string;
    const { seq } = this.server.at(name);
    const device = this.devices[number % this.devices.length] as Device;
    const some = seq === 0 ? 0 : 1 + (number % seq);
    switch (what) {
      case 'post':
        this.nonce += 1;
        return this.tell(this.server.post(name, who, `hi @${PEOPLE[number % 2]}`, `n${this.nonce}`));
      case 'edit':
        return some ? this.tell(this.server.edit(name, some, `edited ${number}`)) : undefined;
      case 'delete':
        return some ? this.tell(this.server.delete(name, some)) : undefined;
      case 'react':
        return this.react(name, some, who, number);
      case 'rename':
        return this.tell(this.server.rename(name, `title ${number}`));
      case 'receive':
        return device.receive(number);
      case 'ask':
        return device.ask();
      case 'page':
        return this.older(device, name);
      case 'around':
        return device.page(name, some, true);
      case 'drop':
        return device.disconnect();
      case 'connect':
        return device.connected ? undefined : device.connect(number % 3 ? undefined : [name]);
      case 'open':
        device.state = { ...device.state, open: new Map([[name, true]]) };
        return;
      default:
        return this.disturb(what, device, number);
    }
  }

  react(name: string, seq: number, who: string, number: number): void {
    const event = seq ? this.server.react(name, seq, who, number % 2 ? '👍' : '🎉') : null;
    if (event) this.tell(event);
  }

  older(device: Device, name: string): void {
    const room = device.state.rooms.get(name);
    const first = room && shownSegment(room).messages[0]?.seq;
    if (first && first > 1 && room.loading === 0) device.page(name, first, false);
  }

  disturb(what: string, device: Device, number: number): void {
    const [event] = device.live.slice(number % Math.max(1, device.live.length));
    if (!event) return;
    if (what === 'repeat') device.live.push(event);
    // Events from other nodes may be lost; only a later event shows the gap.
    if (what === 'lose') device.live = device.live.filter((other) => other !== event);
  }

  /** Every device comes to rest, with every room opened once. */
  settle(): void {
    for (const device of this.devices) {
      device.disconnect();
      device.connect();
      device.settle();
    }
  }
}

describe('in any order of events and replies', () => {
  test('every device ends equal to the server', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const world = new World();
        for (const one of steps) world.take(one);
        world.settle();
        for (const device of world.devices) for (const name of ROOMS) expectEqual(device, name);
      }),
      { numRuns: 400 },
    );
  });

  test('a device that only syncs, without a new welcome, also ends equal', () => {
    const kinds = [
      'post', 'edit', 'delete', 'react', 'rename', 'receive', 'ask', 'repeat', 'page', 'around',
    ];
    const calm = fc.array(
      step.filter(([what]) => kinds.includes(what)),
      { maxLength: 120 },
    );
    fc.assert(
      fc.property(calm, (steps) => {
        const world = new World();
        for (const device of world.devices) device.connect();
        for (const one of steps) world.take(one);
        for (const device of world.devices) {
          device.settle();
          for (const name of ROOMS) expectEqual(device, name);
        }
      }),
      { numRuns: 400 },
    );
  });

  test('`have` never passes a missing change', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const world = new World();
        for (const one of steps) {
          world.take(one);
          for (const device of world.devices) expectNoneOlder(device);
        }
      }),
      { numRuns: 200 },
    );
  });
});

/** Every stored message is at least as new as it was at `have`. */
function expectNoneOlder(device: Device): void {
  for (const room of device.state.rooms.values()) {
    if (room.have === null) continue;
    const truth = device.server.at(room.room);
    for (const message of room.live.messages) {
      const now = truth.messages[message.seq - 1];
      if (now && now.rev <= room.have) expect(message.rev).toBe(now.rev);
      const marksRev = now?.marks_rev ?? 0;
      if (marksRev <= room.have) expect(message.marks.rev).toBeGreaterThanOrEqual(marksRev);
    }
  }
}

describe('mentions', () => {
  test('are counted once, live or synced, and cleared when read', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const world = new World();
        for (const one of steps) if (one[0] !== 'lose') world.take(one);
        world.settle();
        for (const device of world.devices) {
          for (const name of ROOMS) {
            const room = device.state.rooms.get(name);
            expect(room?.mentions).toBe(world.server.mentions(name, device.who));
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});
