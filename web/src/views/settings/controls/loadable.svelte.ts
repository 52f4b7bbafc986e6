/** Something asked of the server when a section is shown, and again when the connection is back. */

import { untrack } from 'svelte';
import { explain } from '../../../app/errors';
import { isOnline } from './save';

export class Loadable<T> {
  value = $state.raw<T | null>(null);
  problem = $state('');
  readonly #ask: () => Promise<T>;
  #latest = 0;

  /** Only while a component is made. */
  constructor(ask: () => Promise<T>) {
    this.#ask = ask;
    const online = $derived(isOnline());
    $effect(() => {
      if (online) void untrack(() => this.reload());
    });
  }

  /** Ask anew, or for what follows; only the latest answer counts. */
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
