/** Sends read markers: one request per room at a time, the newest wins, at a limited rate. */

import type { Fields, Ok } from './wire/protocol';
import { Disconnected, Refused } from './wire/errors';
import { onMarker } from './state/replies';
import { changeRoom } from './state/reducer';
import { markRead, markUnreadFrom } from './state/unread';
import { readUpTo, type State } from './state/state';

/** The server stores a marker at most every 2 s per room, so sending more often is useless. */
const EVERY_MS = 1_000;

export interface StateHolder {
  readonly state: State;
  update(how: (state: State) => State): void;
}

type Ask = (fields: Fields<'read'>) => Promise<Ok<'read'>>;

export class ReadMarkers {
  #busy = new Set<string>();
  readonly #holder: StateHolder;
  readonly #ask: Ask;

  constructor(holder: StateHolder, ask: Ask) {
    this.#holder = holder;
    this.#ask = ask;
  }

  /** Marks everything up to here as read. */
  read(name: string, seq: number): void {
    const room = this.#holder.state.rooms.get(name);
    if (!room || room.role === null || seq <= readUpTo(room)) return;
    this.#holder.update((state) => changeRoom(state, name, (known) => markRead(known, seq)));
    void this.#send(name);
  }

  /** Marks as unread from this message on. */
  async unread(name: string, seq: number): Promise<void> {
    this.#holder.update((state) => changeRoom(state, name, (room) => markUnreadFrom(room, seq)));
    const reply = await this.#ask({ room: name, seq: Math.max(0, seq - 1), back: true });
    this.#holder.update((state) => onMarker(state, name, reply));
  }

  /** After a reconnection: sends what could not be sent. */
  resend(): void {
    for (const room of this.#holder.state.rooms.values()) {
      if (room.sentRead !== null) void this.#send(room.room);
    }
  }

  async #send(name: string): Promise<void> {
    if (this.#busy.has(name)) return;
    this.#busy.add(name);
    try {
      for (;;) {
        const seq = this.#holder.state.rooms.get(name)?.sentRead;
        if (seq === null || seq === undefined) return;
        const reply = await this.#ask({ room: name, seq });
        this.#holder.update((state) => onMarker(state, name, reply));
        await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
      }
    } catch (error) {
      this.#failed(name, error);
    } finally {
      this.#busy.delete(name);
    }
  }

  #failed(name: string, error: unknown): void {
    if (error instanceof Disconnected) return;
    if (!(error instanceof Refused)) throw error;
    if (error.isTemporary) setTimeout(() => void this.#send(name), (error.retryAfterS ?? 1) * 1000);
    else this.#holder.update((state) => changeRoom(state, name, (room) => ({ ...room, sentRead: null })));
  }
}
