/** Searches on the server while the user types: with a delay, and only the last answer counts. */

import { explain } from '../app/errors';
import { Disconnected } from '../data/wire/errors';

const PAUSE_MS = 150;

export class Search<Found> {
  found = $state.raw<Found | null>(null);
  /** The query that `found` answers. */
  query = $state.raw('');
  isBusy = $state.raw(false);
  problem = $state.raw<string | null>(null);
  #serial = 0;
  #hasRun = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly ask: (query: string) => Promise<Found>) {}

  /** After a pause; the first search starts immediately. */
  run(query: string): void {
    clearTimeout(this.#timer);
    this.isBusy = true;
    this.#serial += 1;
    const serial = this.#serial;
    this.#timer = setTimeout(() => void this.#ask(query, serial), this.#hasRun ? PAUSE_MS : 0);
    this.#hasRun = true;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#serial += 1;
    this.isBusy = false;
  }

  async #ask(query: string, serial: number): Promise<void> {
    try {
      const found = await this.ask(query);
      if (serial !== this.#serial) return;
      this.found = found;
      this.query = query;
      this.problem = null;
    } catch (error) {
      if (serial !== this.#serial) return;
      // The view itself shows that it is offline, and searches again after reconnecting.
      this.problem = error instanceof Disconnected ? null : explain(error);
    }
    this.isBusy = false;
  }
}
