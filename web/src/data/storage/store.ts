/**
 * What the browser stores of the rooms it has seen, so that they open at once and offline.
 *
 * There is one database per epoch and person, so a restored server never shows what it no longer knows.
 * Several tabs write to it: a message is replaced only by a newer state, and a room's `have` is written
 * in one transaction with everything up to it.
 */

import { resultOf, completionOf, eraseDatabase, openDatabase } from './database';
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

/** Messages loaded per room at the start, and stored at most. */
const SHOWN_AT_START = 60;
const KEPT_PER_ROOM = 1_000;

const PREFIX = 'hubbub-cache';

type SavedRoom = Omit<
  RoomState,
  | 'ahead' | 'catchUp' | 'live' | 'detachedRange' | 'outOfOrder' | 'earlyMarks' | 'loading' | 'counted'
  | 'ownSeqs' | 'memberList' | 'online'
> & {
  /** The last message without a gap before it; null: none is stored. */
  lastSeq: number | null;
  start: boolean;
};

interface Mine {
  me: Me;
  server: ServerInfo;
}

/** Marks of a message that may be stored although nobody is looking at it. */
interface Marked {
  room: string;
  seq: number;
  marks: Marks;
}

type Entry = Message | Marked | { clear: string };

const TABLES = ['rooms', 'messages', 'people', 'mine'];

/** A database with another shape is cleared, since the server has everything. */
const SHAPE = 2;

export function cacheName(epoch: string, user: string): string {
  return `${PREFIX}:${user}:${epoch}`;
}

export class Store {
  /** In order: messages and marks as they arrived, and rooms to clear before what follows. */
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

  /** Adds what is stored to an empty state. */
  async load(onto: State): Promise<State> {
    const db = await this.#db;
    const tx = db.transaction(TABLES);
    const [saved, people, mine] = await Promise.all([
      resultOf<SavedRoom[]>(tx.objectStore('rooms').getAll()),
      resultOf<Person[]>(tx.objectStore('people').getAll()),
      resultOf<Mine | undefined>(tx.objectStore('mine').get('mine')),
    ]);
    const rooms = await Promise.all(
      saved.map(async (room) => {
        const range = pageBefore(room, SHOWN_AT_START);
        return fromSavedRoom(room, await resultOf<Message[]>(tx.objectStore('messages').getAll(range)));
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

  /** Queues a message or its marks for writing. */
  keep(entry: Message | Marked): void {
    this.#queue.push(entry);
  }

  /** Nothing that is stored of this room is valid any more. */
  forget(room: string): void {
    this.#queue = this.#queue.filter((entry) => !('room' in entry) || entry.room !== room);
    this.#queue.push({ clear: room });
  }

  /** Writes the state, together with everything queued since the last time. */
  save(state: State): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write(state)).catch(reportLost);
    return this.#writing;
  }

  async #write(state: State): Promise<void> {
    const queue = this.#queue;
    const before = this.#saved;
    if (queue.length === 0 && before === state) return;
    // Before the first await: what arrives later belongs to the next write.
    this.#queue = [];
    this.#saved = state;
    const db = await this.#db;
    const tx = db.transaction(TABLES, 'readwrite');
    // One after the other, because each compares with what is stored.
    for (const entry of queue) await writeEntry(tx, entry);
    for (const room of state.rooms.values()) {
      if (before?.rooms.get(room.room) !== room) tx.objectStore('rooms').put(toSavedRoom(room));
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
    await completionOf(tx);
  }

  /** Stored messages directly before the given one, for reading offline. */
  async before(room: string, seq: number, limit: number): Promise<Message[]> {
    const range = IDBKeyRange.bound([room, seq - limit], [room, seq - 1]);
    const messages = (await this.#db).transaction('messages').objectStore('messages');
    return contiguousUpTo(await resultOf<Message[]>(messages.getAll(range)), seq - 1);
  }

  /** Deletes messages far back. */
  async prune(): Promise<void> {
    const db = await this.#db;
    const table = db.transaction('rooms').objectStore('rooms');
    for (const { room, lastSeq } of await resultOf<SavedRoom[]>(table.getAll())) {
      if (lastSeq === null || lastSeq <= KEPT_PER_ROOM) continue;
      const tx = db.transaction('messages', 'readwrite');
      tx.objectStore('messages').delete(
        IDBKeyRange.bound([room, 0], [room, lastSeq - KEPT_PER_ROOM]),
      );
      await completionOf(tx);
    }
  }

  async close(): Promise<void> {
    await this.#writing;
    // A database that never opened has nothing to close, and must not block signing out.
    await this.#db.then((db) => db.close(), () => undefined);
  }
}

/** Deletes all databases of this person except the named one. */
export async function eraseCaches(user: string, except: string | null = null): Promise<void> {
  // Firefox before 126 cannot list databases, so that of an old epoch stays there unused.
  const all = (await indexedDB.databases?.()) ?? [];
  const names = all.map((one) => one.name ?? '');
  const old = names.filter((name) => name.startsWith(`${PREFIX}:${user}:`) && name !== except);
  await Promise.all(old.map(eraseDatabase));
}

function reportLost(error: unknown): void {
  // Closed by another tab, or out of space. The server has everything, so only the cache suffers.
  console.warn('Hubbub could not write to the browser’s database.', error);
}

async function writeEntry(tx: IDBTransaction, entry: Entry): Promise<void> {
  const messages = tx.objectStore('messages');
  if ('clear' in entry) {
    messages.delete(roomRange(entry.clear));
    return;
  }
  const known = await resultOf<Message | undefined>(messages.get([entry.room, entry.seq]));
  const after = 'rev' in entry ? newest(known, entry) : known && withMarks(known, entry.marks);
  if (after && after !== known) messages.put(after);
}

function eraseRoom(tx: IDBTransaction, room: string): void {
  tx.objectStore('rooms').delete(room);
  tx.objectStore('messages').delete(roomRange(room));
}

function roomRange(room: string): IDBKeyRange {
  return IDBKeyRange.bound([room, 0], [room, Infinity]);
}

function pageBefore({ room, lastSeq }: SavedRoom, limit: number): IDBKeyRange {
  const last = lastSeq ?? 0;
  return IDBKeyRange.bound([room, last - limit + 1], [room, last]);
}

/** The messages without a gap that end at the given seq. */
function contiguousUpTo(messages: readonly Message[], last: number): Message[] {
  const run: Message[] = [];
  for (let index = messages.length - 1, seq = last; index >= 0; index -= 1, seq -= 1) {
    const message = messages[index];
    if (message?.seq !== seq) break;
    run.unshift(message);
  }
  return run;
}

function toSavedRoom(room: RoomState): SavedRoom {
  const {
    ahead: _a, catchUp: _c, live, detachedRange: _v, outOfOrder: _s, earlyMarks: _e, loading: _l, counted: _n,
    ownSeqs: _o, memberList: _m, online: _w, ...rest
  } = room;
  return { ...rest, lastSeq: live.messages.at(-1)?.seq ?? null, start: live.start };
}

function fromSavedRoom(saved: SavedRoom, messages: readonly Message[]): RoomState {
  const { lastSeq, start, ...room } = saved;
  const run = lastSeq === null ? [] : contiguousUpTo(messages, lastSeq);
  const isWhole = run.length > 0 || (start && lastSeq === null);
  return {
    ...room,
    // `have` would be wrong without the messages up to it.
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
