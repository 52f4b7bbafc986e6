/** Pages of a room's history: from the server, or offline from the store. */

import type { Fields, Message as WireMessage, Page } from './wire/protocol';
import { Disconnected } from './wire/errors';
import type { StateHolder } from './readMarkers';
import { changeRoom } from './state/reducer';
import { onPage, onPageFailed, onPageSent } from './state/replies';
import { addPage, leaveDetachedRange, joinDetachedRange, type Where } from './state/segments';
import { shownSegment, type Message } from './state/state';

const PAGE = 60;

interface Sources {
  page(fields: Fields<'history'>): Promise<Page>;
  stored(room: string, beforeSeq: number, limit: number): Promise<Message[]>;
  arrived(messages: readonly WireMessage[]): void;
}

export class History {
  /** Requests under way, by room and direction; each is sent only once. */
  #busy = new Map<string, Promise<void>>();
  /**
   * The place the user navigated to; null: the latest messages. A page for another place is dropped.
   */
  #goingTo: string | null = null;
  readonly #holder: StateHolder;
  readonly #from: Sources;

  constructor(holder: StateHolder, from: Sources) {
    this.#holder = holder;
    this.#from = from;
  }

  /** Loads the page above the messages on screen. */
  async older(name: string): Promise<void> {
    const room = this.#holder.state.rooms.get(name);
    if (!room || shownSegment(room).start) return;
    const first = shownSegment(room).messages[0]?.seq;
    if (first === undefined) return this.latest(name);
    await this.#once(`${name} before`, async () => {
      try {
        await this.#ask(name, { room: name, before: first, limit: PAGE }, 'before');
      } catch (error) {
        if (!(error instanceof Disconnected)) throw error;
        await this.#older(name, first);
      }
    });
  }

  async #older(name: string, first: number): Promise<void> {
    const stored = await this.#from.stored(name, first, PAGE);
    if (stored.length === 0) return;
    this.#holder.update((state) =>
      changeRoom(onPageSent(state, name), name, (room) => addPage(room, stored, 'before', stored[0]?.seq === 1)),
    );
  }

  /** Loads the page below a detached range, which joins the latest messages when it reaches them. */
  async newer(name: string): Promise<void> {
    const detachedRange = this.#holder.state.rooms.get(name)?.detachedRange;
    const last = detachedRange?.messages.at(-1)?.seq;
    if (last === undefined) return;
    let joined = false;
    this.#holder.update((state) =>
      changeRoom(state, name, (room) => {
        const walked = joinDetachedRange(room);
        joined = walked !== null;
        return walked ?? room;
      }),
    );
    if (joined) return;
    await this.#once(`${name} after`, () =>
      this.#ask(name, { room: name, after: last, limit: PAGE }, 'after'),
    );
  }

  /** Goes to a message: in a detached range, unless it is among the latest messages. */
  async around(name: string, seq: number): Promise<void> {
    const room = this.#holder.state.rooms.get(name);
    if (!room) return;
    const place = `${name} around ${seq}`;
    this.#goingTo = place;
    if (room.live.messages.some((message) => message.seq === seq)) {
      this.#holder.update((state) => changeRoom(state, name, leaveDetachedRange));
      return;
    }
    await this.#once(place, () =>
      this.#ask(name, { room: name, around: seq, limit: PAGE }, 'around', () => this.#goingTo === place),
    );
  }

  /** Back to the latest messages. */
  async latest(name: string): Promise<void> {
    this.#goingTo = null;
    this.#holder.update((state) => changeRoom(state, name, leaveDetachedRange));
    const room = this.#holder.state.rooms.get(name);
    if (!room || room.live.messages.length > 0 || room.live.start) return;
    await this.#once(`${name} latest`, () =>
      this.#ask(name, { room: name, limit: PAGE }, 'latest'),
    );
  }

  async #ask(
    name: string,
    fields: Fields<'history'>,
    where: Where,
    isWanted = () => true,
  ): Promise<void> {
    this.#holder.update((state) => onPageSent(state, name));
    try {
      const page = await this.#from.page(fields);
      this.#holder.update((state) =>
        isWanted() ? onPage(state, name, page, where) : onPageFailed(state, name),
      );
      this.#from.arrived(page.messages);
    } catch (error) {
      this.#holder.update((state) => onPageFailed(state, name));
      throw error;
    }
  }

  #once(what: string, run: () => Promise<void>): Promise<void> {
    const running = this.#busy.get(what) ?? run().finally(() => this.#busy.delete(what));
    this.#busy.set(what, running);
    return running;
  }
}
