/** The pinned messages of a room and its threads, kept up to date while they are shown. */

import { session } from '../../app/session/session.svelte';
import { explain } from '../../app/errors';
import { withPeople } from '../../data/state/reducer';
import type { ServerEvent } from '../../data/wire/protocol';
import { Disconnected } from '../../data/wire/errors';
import { toMessage, type Message } from '../../data/state/state';
import { threadOf } from '../../data/state/thread';

export class Pins {
  /** The latest pin first; null: not known yet. */
  list = $state.raw<readonly Message[] | null>(null);
  problem = $state.raw<string | null>(null);
  #isAsking = false;
  #isStale = false;

  constructor(readonly room: string) {}

  /** Until the returned function is called. */
  attach(): () => void {
    void this.load();
    return session.currentChat.listen((event) => {
      if (event === null || this.#isAbout(event)) void this.load();
    });
  }

  async load(): Promise<void> {
    this.#isStale = true;
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      // Changes during a request may be missing in its answer.
      while (this.#isStale) await this.#ask();
    } finally {
      this.#isAsking = false;
    }
  }

  async #ask(): Promise<void> {
    this.#isStale = false;
    try {
      const { messages, people } = await session.currentChat.request('pins', { room: this.room });
      session.currentChat.update((state) => withPeople(state, people));
      this.list = messages.map(toMessage);
      this.problem = null;
    } catch (error) {
      // Loaded again after reconnecting.
      if (!(error instanceof Disconnected)) this.problem = explain(error);
    }
  }

  /** Whether the event changes the list: a pin, or a listed message. */
  #isAbout(event: ServerEvent): boolean {
    if (event.on !== 'marks' && event.on !== 'message') return false;
    if ((threadOf(event.room)?.parent ?? event.room) !== this.room) return false;
    const isListed = this.list?.some(({ room, seq }) => room === event.room && seq === event.seq);
    if (event.on === 'message') return isListed ?? false;
    return (event.pinned ?? false) !== (isListed ?? false);
  }
}
