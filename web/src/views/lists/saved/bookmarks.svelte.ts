/** The saved messages: loaded when first needed, then kept up to date. */

import { explain } from '../../../app/errors';
import type { Chat } from '../../../data/chat';
import type { ServerEvent } from '../../../data/wire/protocol';
import { Disconnected, Refused } from '../../../data/wire/errors';
import { withPeople } from '../../../data/state/reducer';
import { findMessage, toMessage, type Message, type MessageRef, type State } from '../../../data/state/state';

export interface Bookmark {
  readonly room: string;
  readonly seq: number;
  readonly at: number;
  readonly note: string;
  /** Null: deleted, or no longer readable. */
  readonly message: Message | null;
}

type Changed = Extract<ServerEvent, { on: 'bookmark' }>;

export const keyOf = ({ room, seq }: MessageRef): string => `${room} ${seq}`;

/** The current state of the message. */
export function currentMessage(state: State, { room, seq, message }: Bookmark): Message | null {
  const here = state.rooms.get(room);
  const known = here && findMessage(here, seq);
  const latest = known && known.rev >= (message?.rev ?? 0) ? known : message;
  return latest?.deleted ? null : latest;
}

class Bookmarks {
  /** By room and seq; null until they are loaded. */
  all = $state.raw<ReadonlyMap<string, Bookmark> | null>(null);
  problem = $state.raw('');
  #isWanted = false;
  #isLoading = false;
  /** Something may have changed since the last request. */
  #isStale = true;

  constructor(private readonly chat: Chat) {
    chat.listen((event) => {
      if (event === null) this.#reload();
      else if (event.on === 'bookmark') this.#onBookmark(event);
      else if (event.on === 'removed') this.#reload();
    });
  }

  /** The latest first. */
  get list(): Bookmark[] {
    return [...(this.all?.values() ?? [])].sort((a, b) => b.at - a.at);
  }

  find(place: MessageRef): Bookmark | null {
    return this.all?.get(keyOf(place)) ?? null;
  }

  /** Called when they are needed. */
  ensureLoaded(): void {
    this.#isWanted = true;
    void this.#load();
  }

  async save({ room, seq }: MessageRef, note: string): Promise<void> {
    await this.chat.request('bookmark', { room, seq, note });
  }

  async remove({ room, seq }: MessageRef): Promise<void> {
    await this.chat.request('bookmark', { room, seq, on: false });
  }

  #reload(): void {
    this.#isStale = true;
    if (this.#isWanted) void this.#load();
  }

  async #load(): Promise<void> {
    if (this.#isLoading || !this.chat.isOnline) return;
    this.#isLoading = true;
    try {
      while (this.#isStale) {
        this.#isStale = false;
        await this.#askAll();
      }
      this.problem = '';
    } catch (error) {
      this.#isStale = true;
      if (error instanceof Refused) this.problem = explain(error);
      else if (!(error instanceof Disconnected)) throw error;
      // The next welcome loads them again.
    } finally {
      this.#isLoading = false;
    }
  }

  async #askAll(): Promise<void> {
    const all = new Map<string, Bookmark>();
    let after: string | null = '';
    while (after !== null) {
      const page: Awaited<ReturnType<typeof this.chat.request<'bookmarks'>>> =
        await this.chat.request('bookmarks', { after });
      this.chat.update((state) => withPeople(state, page.people));
      for (const { note = '', message, ...one } of page.bookmarks) {
        all.set(keyOf(one), { ...one, note, message: message ? toMessage(message) : null });
      }
      after = page.cursor;
    }
    this.all = all;
  }

  #onBookmark({ room, seq, gone, note = '', at = 0 }: Changed): void {
    const known = this.find({ room, seq });
    // A bookmark set on another device needs its message, which only the server has.
    if (!this.all || this.#isLoading || (!gone && !known)) return this.#reload();
    const all = new Map(this.all);
    if (gone) all.delete(keyOf({ room, seq }));
    else all.set(keyOf({ room, seq }), { room, seq, at, note, message: known?.message ?? null });
    this.all = all;
  }
}

export type { Bookmarks };

const instances = new WeakMap<Chat, Bookmarks>();

export function bookmarksOf(chat: Chat): Bookmarks {
  const bookmarks = instances.get(chat) ?? new Bookmarks(chat);
  instances.set(chat, bookmarks);
  return bookmarks;
}
