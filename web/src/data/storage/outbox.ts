/**
 * Messages being sent. They are stored in the browser until the server has them, across reloads and
 * while offline. First in, first out in each room; one tab sends at a time; the nonce makes every retry
 * safe. A permanent error stops its message and leaves it to the user.
 */

import { resultOf, completionOf, eraseDatabase, openDatabase } from './database';
import type { Fields, MessageKind, Ok } from '../wire/protocol';
import { Disconnected, Refused } from '../wire/errors';

export interface NewMessage {
  room: string;
  text: string;
  kind: MessageKind;
  replyTo: number | null;
  /** A reply in a thread that is also posted to the room. */
  alsoInRoom?: boolean;
}

export interface Pending extends NewMessage {
  nonce: string;
  /** When it was written, by the clock of this device. */
  at: number;
  /** The reason why the server rejected it. */
  failed: string | null;
  /** The server has it, and its copy is about to replace this one. */
  sent: boolean;
}

type ChannelMessage = { changed: true } | { sent: string };

export interface Sender {
  isReady(): boolean;
  post(fields: Fields<'post'>): Promise<Ok<'post'>>;
}

/** Runs something while no other tab does. */
export type Exclusively = (name: string, run: () => Promise<void>) => Promise<void>;

const withLock: Exclusively = async (name, run) => {
  // On plain http from another device there are no locks; the nonce has to suffice.
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
  #isClosed = false;
  /** Confirmed nonces, which a list read a moment earlier may still contain. */
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

  /**
   * Adds a message, which is shown at once and stored before anything is sent. Throws if it cannot be
   * stored.
   */
  async add(draft: NewMessage, at: number): Promise<Pending> {
    const pending: Pending = { ...draft, nonce: newNonce(), at, failed: null, sent: false };
    this.#setItems([...this.items, pending]);
    try {
      await this.#write((table) => table.add({ ...pending }));
    } catch (error) {
      // For example, the disk is full. The writer still has the text, and this row will never be sent.
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

  /** Discards a message. */
  async remove(nonce: string): Promise<void> {
    await this.#erase(nonce);
    this.#setItems(this.items.filter((item) => item.nonce !== nonce));
    this.#broadcast({ changed: true });
  }

  /** The server's copy of one of our messages arrived, so ours can go. */
  confirm(nonce: string): void {
    // Also for one that is not listed yet: another tab may have added it, and the list is still being
    // read.
    this.#confirmed.add(nonce);
    if (!this.items.some((item) => item.nonce === nonce)) return;
    this.#setItems(this.items.filter((item) => item.nonce !== nonce));
    void this.#erase(nonce);
  }

  /** Sends what is waiting, as far as possible. */
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
    } catch (error) {
      // A reply after `close` finds neither the database nor the channel.
      if (!this.#isClosed) throw error;
    } finally {
      this.#draining = false;
    }
  }

  /** What is still being sent stays stored; the next outbox sends it again, with its nonce. */
  close(): void {
    this.#isClosed = true;
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

  /** Returns whether the next message may be sent. */
  async #sendOne(item: Pending): Promise<boolean> {
    try {
      await this.sender.post(toPost(item));
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
    // It will be sent after the next sign-in.
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
      const item = await resultOf<Pending | undefined>(table.index('nonce').get(nonce));
      if (item) table.put({ ...item, ...news });
    });
    this.#setItems(this.items.map((known) => (known.nonce === nonce ? { ...known, ...news } : known)));
    this.#broadcast({ changed: true });
  }

  async #erase(nonce: string): Promise<void> {
    await this.#write(async (table) => {
      const key = await resultOf(table.index('nonce').getKey(nonce));
      if (key !== undefined) table.delete(key);
    });
  }

  #readAll(): Promise<Pending[]> {
    return resultOf<Pending[]>(this.db.transaction('outbox').objectStore('outbox').getAll());
  }

  async #write(how: (table: IDBObjectStore) => unknown): Promise<void> {
    const tx = this.db.transaction('outbox', 'readwrite');
    await Promise.all([how(tx.objectStore('outbox')), completionOf(tx)]);
  }

  async #onChannelMessage(news: ChannelMessage): Promise<void> {
    if ('sent' in news) this.#markSent(news.sent);
    else await this.#reload();
  }

  async #reload(): Promise<void> {
    const stored = await this.#readAll();
    const sent = this.items.filter((item) => item.sent);
    const finished = new Set([...this.#confirmed, ...sent.map((item) => item.nonce)]);
    const waiting = stored.filter((item) => !finished.has(item.nonce));
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

function toPost(item: Pending): Fields<'post'> {
  return {
    room: item.room,
    text: item.text,
    nonce: item.nonce,
    ...(item.kind === 'text' ? {} : { kind: item.kind }),
    ...(item.replyTo === null ? {} : { reply_to: item.replyTo }),
    ...(item.alsoInRoom ? { also_in_room: true } : {}),
  };
}
