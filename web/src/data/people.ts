/** Fetches the display names of people whose handles arrived with events. */

import type { Fields, Message, Ok } from './wire/protocol';
import { Disconnected, Refused } from './wire/errors';
import { withPeople } from './state/reducer';
import type { StateHolder } from './readMarkers';

const WAIT_MS = 30;
/** The most names that the server answers at once. */
const AT_ONCE = 100;

type Ask = (fields: Fields<'users'>) => Promise<Ok<'users'>>;

/** The handles whose display names a message shows. */
export function namesIn({ by, mentions, origin }: Message): string[] {
  const names = (mentions ?? []).filter((name) => name[0] !== '@');
  return origin ? [by, origin.by, ...names] : [by, ...names];
}

export class People {
  #wanted = new Set<string>();
  #requested = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #holder: StateHolder;
  readonly #ask: Ask;

  constructor(holder: StateHolder, ask: Ask) {
    this.#holder = holder;
    this.#ask = ask;
  }

  /** Queues a handle. Guests are shown by their handles. */
  want(name: string): void {
    if (name.startsWith('~') || this.#requested.has(name)) return;
    if (this.#holder.state.people.has(name)) return;
    this.#requested.add(name);
    this.#wanted.add(name);
    this.#timer ??= setTimeout(() => void this.#askAll(), WAIT_MS);
  }

  async #askAll(): Promise<void> {
    this.#timer = undefined;
    const names = [...this.#wanted].slice(0, AT_ONCE);
    for (const name of names) this.#wanted.delete(name);
    try {
      const { users } = await this.#ask({ names });
      this.#holder.update((state) => withPeople(state, users));
    } catch (error) {
      if (!(error instanceof Disconnected) && !(error instanceof Refused)) throw error;
      // Fetched again with their next message.
      for (const name of names) this.#requested.delete(name);
    }
    if (this.#wanted.size > 0) this.#timer = setTimeout(() => void this.#askAll(), WAIT_MS);
  }
}
