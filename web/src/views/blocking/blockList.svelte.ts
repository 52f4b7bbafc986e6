/** The people the user has blocked: fetched when shown, and again after a change on any device. */

import { session } from '../../app/session/session.svelte';
import { explain } from '../../app/errors';
import type { Person } from '../../data/wire/protocol';

export class BlockList {
  /** Null: not known yet. */
  value = $state.raw<readonly Person[] | null>(null);
  problem = $state('');
  readonly names = $derived(new Set(this.value?.map(({ name }) => name)));
  #latest = 0;

  /** Only during component initialisation. */
  constructor() {
    $effect(() => {
      const chat = session.currentChat;
      if (chat.isOnline) void this.reload();
      // Null: a new connection, so an event may have been missed.
      return chat.listen((event) => {
        if (event === null || event.on === 'block') void this.reload();
      });
    });
  }

  async reload(): Promise<void> {
    this.#latest += 1;
    const mine = this.#latest;
    try {
      const { people } = await session.currentChat.request('blocks', {});
      if (mine !== this.#latest) return;
      this.value = people;
      this.problem = '';
    } catch (error) {
      if (mine === this.#latest) this.problem = explain(error);
    }
  }
}
