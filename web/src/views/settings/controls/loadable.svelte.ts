/** Something that is loaded from the server when a section is shown, and again after reconnecting. */

import { untrack } from 'svelte';
import { explain } from '../../../app/errors';
import { isOnline } from './save';

export class Loadable<T> {
  value = $state.raw<T | null>(null);
  problem = $state('');
  readonly #ask: () => Promise<T>;
  #latest = 0;

  /** Only during component initialisation. */
  constructor(ask: () => Promise<T>) {
    this.#ask = ask;
    const online = $derived(isOnline());
    $effect(() => {
      if (online) void untrack(() => this.reload());
    });
  }

  /** Loads it again, or the next page of it; only the latest answer counts. */
  async reload(ask: () => Promise<T> = this.#ask): Promise<void> {
    this.#latest += 1;
    const mine = this.#latest;
    try {
      const value = await ask();
      if (mine !== this.#latest) return;
      this.value = value;
      this.problem = '';
    } catch (error) {
      if (mine === this.#latest) this.problem = explain(error);
    }
  }
}
