/**
 * Messages on their way: kept in the browser until the server has them, over reloads and offline
 * time. First in, first out in each room; one tab sends at a time; the nonce makes every retry
 * safe. An error that trying again will not mend stops its message and leaves it to the person.
 */

import { answer, done, eraseDatabase, openDatabase } from './database';
import type { Fields, MessageKind, Ok } from '../wire/protocol';
import { Disconnected, Refused } from '../wire/errors';

export interface NewMessage {
  room: string;
  text: string;
  kind: MessageKind;
  replyTo: number | null;
  /** An answer in a thread that is said to its room as well. */
  alsoInRoom?: boolean;
}

export interface Pending extends NewMessage {
  nonce: string;
  /** When it was written, by this device's clock. */
  at: number;
  /** Why the server will not take it, in a sentence. */
  failed: string | null;
  /** The server has it; its own copy is about to take this one's place. */
  sent: boolean;
}

type ChannelMessage = { changed: true } | { sent: string };

export interface Sender {
  isReady(): boolean;
  post(fields: Fields<'post'>): Promise<Ok<'post'>>;
}

/** Run something while no other tab does. */
export type Exclusively = (name: string, run: () => Promise<void>) => Promise<void>;

const withLock: Exclusively = async (name, run) => {
  // Pages on plain http from another device have no locks; there the nonce alone has to do.
  if (navigator.locks) await navigator.locks.request(name, run);
  else await run();
};

function databaseName(user: string): string {
  return `hubbub-outbox:${user}`;
}

export function newNonce(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

export class Outbox {
  items: readonly Pending[] = [];
  #channel: BroadcastChannel;
  #draining = false;
  #runAgain = false;
  /** Confirmed ones, which a list read a moment earlier may still hold: as many as were mine. */
  #confirmed = new Set<string>();

  private constructor(
    private readonly db: IDBDatabase,
    private readonly name: string,
    private readonly sender: Sender,
    private readonly changed: () => void,
    private readonly exclusively: Exclusively,
  ) {
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = (message: MessageEvent<ChannelMessage>) => void this.#onChannelMessage(message.data);
  }

  static async open(
    user: string,
    sender: Sender,
    changed: () => void,
    exclusively: Exclusively = withLock,
  ): Promise<Outbox> {
    const name = databaseName(user);
    const db = await openDatabase(name, 1, (fresh) => {
      const store = fresh.createObjectStore('outbox', { keyPath: 'order', autoIncrement: true });
      store.createIndex('nonce', 'nonce', { unique: true });
    });
    const outbox = new Outbox(db, name, sender, changed, exclusively);
    await outbox.#reload();
    return outbox;
  }

  /** Take a message; it is shown at once and kept before anything is sent. Throws if it cannot be. */
  async add(draft: NewMessage, at: number): Promise<Pending> {
    const pending: Pending = { ...draft, nonce: newNonce(), at, failed: null, sent: false };
    this.#setItems([...this.items, pending]);
    try {
      await this.#write((table) => table.add({ ...pending }));
    } catch (error) {
      // The disk is full, say: who wrote it still has the text, and nothing will send this row.
      this.#setItems(this.items.filter((item) => item.nonce !== pending.nonce));
      throw error;
    }
    this.#broadcast({ changed: true });
    void this.drain();
    return pending;
  }

  async retry(nonce: string): Promise<void> {
    await this.#update(nonce, { failed: null });
    void this.drain();
  }

  /** Give a message up. */
  async remove(nonce: string): Promise<void> {
    await this.#erase(nonce);
    this.#setItems(this.items.filter((item) => item.nonce !== nonce));
    this.#broadcast({ changed: true });
  }

  /** The server's copy of one of my messages came: ours has done its duty. */
  confirm(nonce: string): void {
    // Also one that is not here yet: the list in which another tab put it may be on its way.
    this.#confirmed.add(nonce);
    if (!this.items.some((item) => item.nonce === nonce)) return;
    this.#setItems(this.items.filter((item) => item.nonce !== nonce));
    void this.#erase(nonce);
  }

  /** Send what waits, as far as that is possible now. */
  async drain(): Promise<void> {
    if (this.#draining) {
      this.#runAgain = true;
      return;
    }
    this.#draining = true;
    try {
      do {
        this.#runAgain = false;
        await this.exclusively(this.name, () => this.#sendAll());
      } while (this.#runAgain && this.sender.isReady());
    } finally {
      this.#draining = false;
    }
  }

  close(): void {
    this.#channel.close();
    this.db.close();
  }

  async #sendAll(): Promise<void> {
    if (!this.sender.isReady()) return;
    const waiting = await this.#readAll();
    const rooms = new Set(waiting.map((item) => item.room));
    await Promise.all([...rooms].map((room) => this.#sendRoom(room)));
  }

  async #sendRoom(room: string): Promise<void> {
    while (this.sender.isReady()) {
      const waiting = await this.#readAll();
      const next = waiting.find((item) => item.room === room && item.failed === null);
      if (!next) return;
      if (!(await this.#sendOne(next))) return;
    }
  }

  /** Whether the next one may follow. */
  async #sendOne(item: Pending): Promise<boolean> {
    try {
      await this.sender.post(postOf(item));
    } catch (error) {
      return this.#refused(item, error);
    }
    await this.#erase(item.nonce);
    this.#markSent(item.nonce);
    this.#broadcast({ sent: item.nonce });
    return true;
  }

  async #refused(item: Pending, error: unknown): Promise<boolean> {
    if (error instanceof Disconnected) return false;
    if (!(error instanceof Refused)) throw error;
    // Whoever signs in again finds it waiting.
    if (error.code === 'sign_in_required') return false;
    if (error.isTemporary) {
      await new Promise((resolve) => setTimeout(resolve, (error.retryAfterS ?? 1) * 1000));
      return true;
    }
    await this.#update(item.nonce, { failed: error.message });
    return true;
  }

  #markSent(nonce: string): void {
    this.#setItems(
      this.items.map((item) => (item.nonce === nonce ? { ...item, sent: true, failed: null } : item)),
    );
  }

  async #update(nonce: string, news: Partial<Pending>): Promise<void> {
    await this.#write(async (table) => {
      const item = await answer<Pending | undefined>(table.index('nonce').get(nonce));
      if (item) table.put({ ...item, ...news });
    });
    this.#setItems(this.items.map((known) => (known.nonce === nonce ? { ...known, ...news } : known)));
    this.#broadcast({ changed: true });
  }

  async #erase(nonce: string): Promise<void> {
    await this.#write(async (table) => {
      const key = await answer(table.index('nonce').getKey(nonce));
      if (key !== undefined) table.delete(key);
    });
  }

  #readAll(): Promise<Pending[]> {
    return answer<Pending[]>(this.db.transaction('outbox').objectStore('outbox').getAll());
  }

  async #write(how: (table: IDBObjectStore) => unknown): Promise<void> {
    const tx = this.db.transaction('outbox', 'readwrite');
    await Promise.all([how(tx.objectStore('outbox')), done(tx)]);
  }

  async #onChannelMessage(news: ChannelMessage): Promise<void> {
    if ('sent' in news) this.#markSent(news.sent);
    else await this.#reload();
  }

  async #reload(): Promise<void> {
    const kept = await this.#readAll();
    const sent = this.items.filter((item) => item.sent);
    const finished = new Set([...this.#confirmed, ...sent.map((item) => item.nonce)]);
    const waiting = kept.filter((item) => !finished.has(item.nonce));
    this.#setItems([...sent, ...waiting]);
  }

  #setItems(items: readonly Pending[]): void {
    this.items = items;
    this.changed();
  }

  #broadcast(news: ChannelMessage): void {
    this.#channel.postMessage(news);
  }
}

export async function eraseOutbox(user: string): Promise<void> {
  await eraseDatabase(databaseName(user));
}

function postOf(item: Pending): Fields<'post'> {
  return {
    room: item.room,
    text: item.text,
    nonce: item.nonce,
    ...(item.kind === 'text' ? {} : { kind: item.kind }),
    ...(item.replyTo === null ? {} : { reply_to: item.replyTo }),
    ...(item.alsoInRoom ? { also_in_room: true } : {}),
  };
}
