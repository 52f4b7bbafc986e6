/**
 * What the browser keeps of the rooms it has seen, to open at once and without a network.
 *
 * One database per epoch and person: another epoch, another database, so what a restored server
 * no longer knows is never shown. Several tabs write to it; a message is only ever replaced by
 * a newer state, and a room's `have` is written together with everything up to it.
 */

import { answer, done, eraseDatabase, openDatabase } from './database';
import type { Me, Person, ServerInfo } from '../wire/protocol';
import {
  NO_MESSAGES,
  newest,
  withMarks,
  type Marks,
  type Message,
  type RoomState,
  type State,
} from '../state/state';

/** Messages shown at the start, and kept at most, of each room. */
const SHOWN_AT_START = 60;
const KEPT_PER_ROOM = 1_000;

const PREFIX = 'hubbub-cache';

type SavedRoom = Omit<
  RoomState,
  | 'ahead' | 'catchUp' | 'live' | 'detachedRange' | 'outOfOrder' | 'earlyMarks' | 'loading' | 'counted'
  | 'ownSeqs' | 'memberList' | 'online'
> & {
  /** The last message without a hole before it; null: none is kept. */
  lastSeq: number | null;
  start: boolean;
};

interface Mine {
  me: Me;
  server: ServerInfo;
}

/** Marks for a message that may be kept, though nobody looks at it. */
interface Marked {
  room: string;
  seq: number;
  marks: Marks;
}

type Entry = Message | Marked | { clear: string };

const TABLES = ['rooms', 'messages', 'people', 'mine'];

/** With another shape of what is kept: the server has it all, so begin anew. */
const SHAPE = 2;

export function cacheName(epoch: string, user: string): string {
  return `${PREFIX}:${user}:${epoch}`;
}

export class Store {
  /** In order: messages as they came, and rooms to be emptied before what comes after. */
  #queue: Entry[] = [];
  #saved: State | null = null;
  #writing: Promise<void> = Promise.resolve();

  #db: Promise<IDBDatabase>;
  readonly name: string;

  constructor(
    readonly epoch: string,
    readonly user: string,
  ) {
    this.name = cacheName(epoch, user);
    this.#db = openDatabase(this.name, SHAPE, (fresh) => {
      for (const table of [...fresh.objectStoreNames]) fresh.deleteObjectStore(table);
      fresh.createObjectStore('rooms', { keyPath: 'room' });
      fresh.createObjectStore('messages', { keyPath: ['room', 'seq'] });
      fresh.createObjectStore('people', { keyPath: 'name' });
      fresh.createObjectStore('mine');
    });
    this.#db.catch(reportLost);
  }

  /** What was kept, onto an empty state. */
  async load(onto: State): Promise<State> {
    const db = await this.#db;
    const tx = db.transaction(TABLES);
    const [saved, people, mine] = await Promise.all([
      answer<SavedRoom[]>(tx.objectStore('rooms').getAll()),
      answer<Person[]>(tx.objectStore('people').getAll()),
      answer<Mine | undefined>(tx.objectStore('mine').get('mine')),
    ]);
    const rooms = await Promise.all(
      saved.map(async (room) => {
        const range = pageBefore(room, SHOWN_AT_START);
        return restored(room, await answer<Message[]>(tx.objectStore('messages').getAll(range)));
      }),
    );
    const state: State = {
      ...onto,
      epoch: this.epoch,
      me: mine?.me ?? null,
      server: mine?.server ?? onto.server,
      rooms: new Map(rooms.map((room) => [room.room, room])),
      people: new Map(people.map((person) => [person.name, person])),
    };
    this.#saved = state;
    return state;
  }

  /** A message came, or marks for one, by whatever way. */
  keep(entry: Message | Marked): void {
    this.#queue.push(entry);
  }

  /** Nothing kept of this room is true any more. */
  forget(room: string): void {
    this.#queue = this.#queue.filter((entry) => !('room' in entry) || entry.room !== room);
    this.#queue.push({ clear: room });
  }

  /** Write down the state, together with everything that came since the last time. */
  save(state: State): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write(state)).catch(reportLost);
    return this.#writing;
  }

  async #write(state: State): Promise<void> {
    const queue = this.#queue;
    const before = this.#saved;
    if (queue.length === 0 && before === state) return;
    // Before the first wait: what comes meanwhile belongs to the next writing.
    this.#queue = [];
    this.#saved = state;
    const db = await this.#db;
    const tx = db.transaction(TABLES, 'readwrite');
    // One after the other: what is newer is decided by what is there.
    for (const entry of queue) await writeEntry(tx, entry);
    for (const room of state.rooms.values()) {
      if (before?.rooms.get(room.room) !== room) tx.objectStore('rooms').put(savedOf(room));
    }
    for (const name of before?.rooms.keys() ?? []) {
      if (!state.rooms.has(name)) eraseRoom(tx, name);
    }
    for (const person of state.people.values()) {
      if (before?.people.get(person.name) !== person) tx.objectStore('people').put(person);
    }
    if (state.me && state.server && (before?.me !== state.me || before.server !== state.server)) {
      tx.objectStore('mine').put({ me: state.me, server: state.server }, 'mine');
    }
    await done(tx);
  }

  /** Kept messages right before one of them, for reading without a network. */
  async before(room: string, seq: number, limit: number): Promise<Message[]> {
    const range = IDBKeyRange.bound([room, seq - limit], [room, seq - 1]);
    const messages = (await this.#db).transaction('messages').objectStore('messages');
    return runUpTo(await answer<Message[]>(messages.getAll(range)), seq - 1);
  }

  /** Let go of what lies far back. */
  async prune(): Promise<void> {
    const db = await this.#db;
    const table = db.transaction('rooms').objectStore('rooms');
    for (const { room, lastSeq } of await answer<SavedRoom[]>(table.getAll())) {
      if (lastSeq === null || lastSeq <= KEPT_PER_ROOM) continue;
      const tx = db.transaction('messages', 'readwrite');
      tx.objectStore('messages').delete(
        IDBKeyRange.bound([room, 0], [room, lastSeq - KEPT_PER_ROOM]),
      );
      await done(tx);
    }
  }

  async close(): Promise<void> {
    await this.#writing;
    // One that never opened has nothing to close, and stands in nobody's way who signs out.
    await this.#db.then((db) => db.close(), () => undefined);
  }
}

/** Delete every database of this person but the one named (or all of them). */
export async function eraseCaches(user: string, except: string | null = null): Promise<void> {
  // Firefox before 126 cannot list databases; there an old epoch's lies unused.
  const all = (await indexedDB.databases?.()) ?? [];
  const names = all.map((one) => one.name ?? '');
  const old = names.filter((name) => name.startsWith(`${PREFIX}:${user}:`) && name !== except);
  await Promise.all(old.map(eraseDatabase));
}

function reportLost(error: unknown): void {
  // Closed by another tab, or out of space: the server has it all, so only the cache is poorer.
  console.warn('Hubbub could not write to the browser’s database.', error);
}

async function writeEntry(tx: IDBTransaction, entry: Entry): Promise<void> {
  const messages = tx.objectStore('messages');
  if ('clear' in entry) {
    messages.delete(wholeRoom(entry.clear));
    return;
  }
  const known = await answer<Message | undefined>(messages.get([entry.room, entry.seq]));
  const after = 'rev' in entry ? newest(known, entry) : known && withMarks(known, entry.marks);
  if (after && after !== known) messages.put(after);
}

function eraseRoom(tx: IDBTransaction, room: string): void {
  tx.objectStore('rooms').delete(room);
  tx.objectStore('messages').delete(wholeRoom(room));
}

function wholeRoom(room: string): IDBKeyRange {
  return IDBKeyRange.bound([room, 0], [room, Infinity]);
}

function pageBefore({ room, lastSeq }: SavedRoom, limit: number): IDBKeyRange {
  const last = lastSeq ?? 0;
  return IDBKeyRange.bound([room, last - limit + 1], [room, last]);
}

/** The messages that run without a hole up to a seq. */
function runUpTo(messages: readonly Message[], last: number): Message[] {
  const run: Message[] = [];
  for (let index = messages.length - 1, seq = last; index >= 0; index -= 1, seq -= 1) {
    const message = messages[index];
    if (message?.seq !== seq) break;
    run.unshift(message);
  }
  return run;
}

function savedOf(room: RoomState): SavedRoom {
  const {
    ahead: _a, catchUp: _c, live, detachedRange: _v, outOfOrder: _s, earlyMarks: _e, loading: _l, counted: _n,
    ownSeqs: _o, memberList: _m, online: _w, ...rest
  } = room;
  return { ...rest, lastSeq: live.messages.at(-1)?.seq ?? null, start: live.start };
}

function restored(saved: SavedRoom, messages: readonly Message[]): RoomState {
  const { lastSeq, start, ...room } = saved;
  const run = lastSeq === null ? [] : runUpTo(messages, lastSeq);
  const isWhole = run.length > 0 || (start && lastSeq === null);
  return {
    ...room,
    // Without the messages up to it, a `have` would be a lie.
    have: isWhole ? room.have : null,
    live: isWhole ? { messages: run, start: run[0] ? run[0].seq === 1 : true } : NO_MESSAGES,
    ahead: new Set(),
    catchUp: 'later',
    detachedRange: null,
    outOfOrder: new Map(),
    earlyMarks: new Map(),
    loading: 0,
    counted: new Set(),
    ownSeqs: new Set(),
    memberList: null,
    online: null,
  };
}
