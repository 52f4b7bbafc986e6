/** The message that a thread is about: as it is in the room, or fetched if it is not among those. */

import { session } from '../../app/session/session.svelte';
import { findMessage, type Message, type RoomState } from '../../data/state/state';
import { findQuoted } from '../message/quotes';

/** To be made while a component is set up: it lives as long as that does. */
export class Root {
  /** Null: not here yet, or there is none. */
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
