/** The root message of a thread: from the room's state, otherwise fetched. */

import { session } from '../../app/session/session.svelte';
import { findMessage, type Message, type RoomState } from '../../data/state/state';
import { findQuoted } from '../message/quotes';

/** Create it during component initialisation; it lives as long as the component. */
export class Root {
  /** Null: not loaded yet, or missing. */
  message: Message | null;
  isMissing = $state(false);

  #fetched = $state.raw<Message | null>(null);

  constructor(home: () => RoomState, seq: number) {
    const known = $derived(findMessage(home(), seq));
    this.message = $derived(known ?? this.#fetched);
    const isNeeded = $derived(!known && session.connection.status === 'online');
    $effect(() => {
      if (isNeeded) void this.#find(home().room, seq);
    });
  }

  async #find(room: string, seq: number): Promise<void> {
    try {
      const found = await findQuoted(room, seq);
      this.#fetched = found?.message ?? null;
      this.isMissing = found === null;
    } catch {
      // The next connection tries again.
    }
  }
}
