/** Carries drafts to the person's other devices, and theirs here; what is kept here comes first. */

import type { Draft, Fields, Ok, ServerEvent } from '../data/wire/protocol';
import { Disconnected, Refused } from '../data/wire/errors';
import { isDue, onOwn, onRest, onTheirs, type Known, type Outcome } from './merge';

/** After a pause in typing. */
const PAUSE_MS = 1_500;
/** The server, as far as drafts need it. */
export interface Line {
  readonly isOnline: boolean;
  request(command: 'drafts', fields: Fields<'drafts'>): Promise<{ drafts: Draft[] }>;
  request(command: 'draft', fields: Fields<'draft'>): Promise<Ok<'draft'>>;
}

/** What is written on this device. */
export interface Desk {
  /** Rooms in which something stands, or stood when the server last heard of it. */
  rooms(): Iterable<string>;
  text(room: string): string;
  replyTo(room: string): number | null;
  put(room: string, text: string, replyTo: number | null): void;
  isTyping(room: string): boolean;
  known(room: string): Known;
  keep(room: string, known: Known): void;
}

type Changed = Omit<Extract<ServerEvent, { on: 'draft' }>, 'on'>;

/** A text on its way: until its event has come, nothing else is sent for its room. */
interface Flight {
  text: string;
  /** Which event is its own; null: not known yet. */
  rev: number | null;
  /** Events that came before it was known whose they are. */
  early: Changed[];
}

export class Drafting {
  #timers = new Map<string, ReturnType<typeof setTimeout>>();
  /** Rooms written in here; in others it may be another tab that writes. */
  #touched = new Set<string>();
  #flights = new Map<string, Flight>();
  /** What was on its way when the line broke: whether it arrived, the next answer tells. */
  #lost = new Map<string, string>();
  /** What the server will not have. */
  #refused = new Map<string, string>();
  /** When the newest change was made that this connection told of. */
  #heardAt = new Map<string, number>();
  /** Before it is known what the server has, nothing may take its place. */
  #isLoaded = false;
  #loads = 0;

  constructor(
    private readonly line: Line,
    private readonly desk: Desk,
  ) {}

  /** An event of mine; null: the connection is new, or some may have been missed. */
  hear(event: ServerEvent | null): void {
    if (event === null) void this.load();
    else if (event.on === 'draft') this.#hear(event);
  }

  #hear(event: Changed): void {
    const flight = this.#flights.get(event.room);
    if (flight?.rev === null) flight.early.push(event);
    else if (flight?.rev === event.rev) this.#landed(event);
    else this.#changed(event);
  }

  #landed(event: Changed): void {
    this.#flights.delete(event.room);
    this.#changed(event, true);
  }

  async load(): Promise<void> {
    this.#loads += 1;
    const load = this.#loads;
    this.#isLoaded = false;
    this.#heardAt.clear();
    for (const [room, { rev }] of this.#flights) if (rev !== null) this.#lose(room);
    try {
      const { drafts } = await this.line.request('drafts', {});
      if (load !== this.#loads) return;
      this.#loaded(drafts);
    } catch (error) {
      if (!(error instanceof Disconnected) && !(error instanceof Refused)) throw error;
      // The next welcome asks again.
    }
  }

  #loaded(drafts: readonly Draft[]): void {
    const here = new Set(drafts.map(({ room }) => room));
    // What an event told meanwhile is newer than an answer that lacks it.
    const gone = [...this.desk.rooms()].filter((room) => !here.has(room) && !this.#heardAt.has(room));
    const all = [...drafts, ...gone.map((room) => ({ room, text: '', at: 0 }))];
    for (const draft of all) {
      const sent = this.#flights.get(draft.room)?.text ?? this.#lost.get(draft.room);
      this.#changed({ ...draft, rev: 0 }, sent === draft.text);
    }
    this.#lost.clear();
    this.#isLoaded = true;
    for (const room of this.desk.rooms()) void this.#send(room);
  }

  /** Something was typed in this room, or sent. */
  typed(room: string): void {
    this.#touched.add(room);
    clearTimeout(this.#timers.get(room));
    const pause = this.desk.text(room) === '' ? 0 : PAUSE_MS;
    this.#timers.set(room, setTimeout(() => this.flush(room), pause));
  }

  flush(room: string): void {
    clearTimeout(this.#timers.get(room));
    this.#timers.delete(room);
    void this.#send(room);
  }

  /** Whoever typed has stopped: what came meanwhile takes its place. */
  rest(): void {
    for (const room of this.desk.rooms()) {
      const known = this.desk.known(room);
      if (known.aside === '' || this.desk.isTyping(room)) continue;
      this.#take(room, onRest(known, this.desk.text(room)), null);
      void this.#send(room);
    }
    for (const room of this.#timers.keys()) this.flush(room);
  }

  stop(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#loads += 1;
  }

  #changed({ room, text = '', at = 0, reply_to: replyTo = null }: Changed, isOwn = false): void {
    if (at < (this.#heardAt.get(room) ?? 0)) return;
    this.#heardAt.set(room, at);
    const known = this.desk.known(room);
    if (isOwn) {
      this.desk.keep(room, onOwn(known, text));
    } else {
      const outcome = onTheirs(known, this.desk.text(room), text, this.desk.isTyping(room));
      this.#take(room, outcome, outcome.text === text ? replyTo : null);
    }
    const isOurs = this.#touched.has(room);
    if (isOurs && isDue(this.desk.known(room), this.desk.text(room))) this.typed(room);
  }

  #take(room: string, { known, text }: Outcome, replyTo: number | null): void {
    this.desk.keep(room, known);
    if (text === this.desk.text(room)) return;
    this.desk.put(room, text, replyTo);
    if (isDue(known, text)) this.typed(room);
  }

  async #send(room: string): Promise<void> {
    const text = this.desk.text(room);
    if (!this.#isLoaded || !this.line.isOnline || this.#flights.has(room)) return;
    if (!isDue(this.desk.known(room), text) || this.#refused.get(room) === text) return;
    const flight: Flight = { text, rev: null, early: [] };
    this.#flights.set(room, flight);
    try {
      const reply_to = this.desk.replyTo(room);
      flight.rev = (await this.line.request('draft', { room, text, reply_to })).rev;
    } catch (error) {
      if (!(error instanceof Disconnected) && !(error instanceof Refused)) throw error;
      this.#lose(room);
      if (error instanceof Refused) this.#isRefused(room, text, error);
    }
    for (const event of flight.early.splice(0)) this.#hear(event);
  }

  #lose(room: string): void {
    const flight = this.#flights.get(room);
    if (flight) this.#lost.set(room, flight.text);
    this.#flights.delete(room);
  }

  #isRefused(room: string, text: string, { isTemporary }: Refused): void {
    this.#lost.delete(room);
    if (isTemporary) this.typed(room);
    else this.#refused.set(room, text);
  }
}
