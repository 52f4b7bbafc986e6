/** Loads the members of a room, and again after a gap in the events. */

import { session } from '../../app/session/session.svelte';
import { explain } from '../../app/errors';
import { loadMembers } from '../../data/requests';
import { Disconnected } from '../../data/wire/errors';
import { LARGE } from './memberRows';

/** In a large room every join and leave makes the list outdated; not each is worth a request. */
const REST_MS = 5_000;

export class Roster {
  busy = $state.raw(false);
  problem = $state.raw<string | null>(null);
  #pages = 1;
  /** The end of the last page; events may add later names. */
  #end = '';
  #loadedAt: number | null = null;

  constructor(readonly room: string) {}

  /** The delay before the list is loaded again. */
  get restMs(): number {
    if (this.#loadedAt === null || !this.#isLarge) return 0;
    return Math.max(0, this.#loadedAt + REST_MS - Date.now());
  }

  /** Loads the list from its beginning as far as it was shown; in a small room, all of it. */
  async load(): Promise<void> {
    this.problem = null;
    // Views are one frame behind, so the list may already be complete.
    if (this.#isWhole) return;
    await this.#loading(async () => {
      await this.#page('');
      for (let page = 1; this.#hasMore && (page < this.#pages || !this.#isLarge); page += 1) {
        await this.#page(this.#end);
      }
    });
  }

  async more(): Promise<void> {
    if (!this.#hasMore) return;
    await this.#loading(async () => {
      this.#pages += 1;
      await this.#page(this.#end);
    });
  }

  async #page(after: string): Promise<void> {
    await loadMembers(session.currentChat, this.room, after);
    this.#end = [...(this.#list?.roles.keys() ?? [])].at(-1) ?? '';
  }

  async #loading(what: () => Promise<void>): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.problem = null;
    try {
      await what();
    } catch (error) {
      // Offline: it is loaded after reconnecting.
      if (!(error instanceof Disconnected)) this.problem = explain(error);
    } finally {
      this.#loadedAt = Date.now();
      this.busy = false;
    }
  }

  get #list() {
    return session.currentChat.state.rooms.get(this.room)?.memberList ?? null;
  }

  /** No change since it was loaded is missing. */
  get #isWhole(): boolean {
    const room = session.currentChat.state.rooms.get(this.room);
    return !room || (room.memberList !== null && room.memberList.mrev >= room.mrev);
  }

  get #hasMore(): boolean {
    return this.#list?.more ?? false;
  }

  get #isLarge(): boolean {
    return (session.currentChat.state.rooms.get(this.room)?.members ?? 0) > LARGE;
  }
}
