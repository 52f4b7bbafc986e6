/** Carries drafts to the person's other devices, and theirs here; what is kept here comes first. */

import type { Draft, Fields, Ok, ServerEvent } from '../data/wire/protocol';
import { Disconnected, Refused } from '../data/wire/errors';
import { needsSending, onOwn, onIdle, onTheirs, type KnownDraft, type Outcome } from './merge';

/** After a pause in typing. */
const PAUSE_MS = 1_500;
/** The server, as far as drafts need it. */
export interface DraftServer {
  readonly isOnline: boolean;
  request(command: 'drafts', fields: Fields<'drafts'>): Promise<{ drafts: Draft[] }>;
  request(command: 'draft', fields: Fields<'draft'>): Promise<Ok<'draft'>>;
}

/** What is written on this device. */
export interface DraftStore {
  /** Rooms in which something stands, or stood when the server last heard of it. */
  rooms(): Iterable<string>;
  text(room: string): string;
  replyTo(room: string): number | null;
  put(room: string, text: string, replyTo: number | null): void;
  isTyping(room: string): boolean;
  known(room: string): KnownDraft;
  keep(room: string, known: KnownDraft): void;
}

type Changed = Omit<Extract<ServerEvent, { on: 'draft' }>, 'on'>;

/** A text on its way: until its event has come, nothing else is sent for its room. */
interface SendingDraft {
  text: string;
  /** Which event is its own; null: not known yet. */
  rev: number | null;
  /** Events that came before it was known whose they are. */
  early: Changed[];
}

export class DraftSync {
  #timers = new Map<string, ReturnType<typeof setTimeout>>();
  /** Rooms written in here; in others it may be another tab that writes. */
  #writtenHere = new Set<string>();
  #sending = new Map<string, SendingDraft>();
  /** What was on its way when the line broke: whether it arrived, the next answer tells. */
  #maybeSent = new Map<string, string>();
  /** What the server will not have. */
  #refused = new Map<string, string>();
  /** When the newest change was made that this connection told of. */
  #heardAt = new Map<string, number>();
  /** Before it is known what the server has, nothing may take its place. */
  #isLoaded = false;
  #loads = 0;

  constructor(
    private readonly server: DraftServer,
    private readonly store: DraftStore,
  ) {}

  /** An event of mine; null: the connection is new, or some may have been missed. */
  onEvent(event: ServerEvent | null): void {
    if (event === null) void this.load();
    else if (event.on === 'draft') this.#onDraftEvent(event);
  }

  #onDraftEvent(event: Changed): void {
    const sending = this.#sending.get(event.room);
    if (sending?.rev === null) sending.early.push(event);
    else if (sending?.rev === event.rev) this.#onOwnDraft(event);
    else this.#changed(event);
  }

  #onOwnDraft(event: Changed): void {
    this.#sending.delete(event.room);
    this.#changed(event, true);
  }

  async load(): Promise<void> {
    this.#loads += 1;
    const load = this.#loads;
    this.#isLoaded = false;
    this.#heardAt.clear();
    for (const [room, { rev }] of this.#sending) if (rev !== null) this.#forgetSending(room);
    try {
      const { drafts } = await this.server.request('drafts', {});
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
    const gone = [...this.store.rooms()].filter((room) => !here.has(room) && !this.#heardAt.has(room));
    const all = [...drafts, ...gone.map((room) => ({ room, text: '', at: 0 }))];
    for (const draft of all) {
      const sent = this.#sending.get(draft.room)?.text ?? this.#maybeSent.get(draft.room);
      this.#changed({ ...draft, rev: 0 }, sent === draft.text);
    }
    this.#maybeSent.clear();
    this.#isLoaded = true;
    for (const room of this.store.rooms()) void this.#send(room);
  }

  /** Something was typed in this room, or sent. */
  onTyped(room: string): void {
    this.#writtenHere.add(room);
    clearTimeout(this.#timers.get(room));
    const pause = this.store.text(room) === '' ? 0 : PAUSE_MS;
    this.#timers.set(room, setTimeout(() => this.flush(room), pause));
  }

  flush(room: string): void {
    clearTimeout(this.#timers.get(room));
    this.#timers.delete(room);
    void this.#send(room);
  }

  /** Whoever typed has stopped: what came meanwhile takes its place. */
  onPause(): void {
    for (const room of this.store.rooms()) {
      const known = this.store.known(room);
      if (known.aside === '' || this.store.isTyping(room)) continue;
      this.#replaceDraft(room, onIdle(known, this.store.text(room)), null);
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
    const known = this.store.known(room);
    if (isOwn) {
      this.store.keep(room, onOwn(known, text));
    } else {
      const outcome = onTheirs(known, this.store.text(room), text, this.store.isTyping(room));
      this.#replaceDraft(room, outcome, outcome.text === text ? replyTo : null);
    }
    const isOurs = this.#writtenHere.has(room);
    if (isOurs && needsSending(this.store.known(room), this.store.text(room))) this.onTyped(room);
  }

  #replaceDraft(room: string, { known, text }: Outcome, replyTo: number | null): void {
    this.store.keep(room, known);
    if (text === this.store.text(room)) return;
    this.store.put(room, text, replyTo);
    if (needsSending(known, text)) this.onTyped(room);
  }

  async #send(room: string): Promise<void> {
    const text = this.store.text(room);
    if (!this.#isLoaded || !this.server.isOnline || this.#sending.has(room)) return;
    if (!needsSending(this.store.known(room), text) || this.#refused.get(room) === text) return;
    const sending: SendingDraft = { text, rev: null, early: [] };
    this.#sending.set(room, sending);
    try {
      const reply_to = this.store.replyTo(room);
      sending.rev = (await this.server.request('draft', { room, text, reply_to })).rev;
    } catch (error) {
      if (!(error instanceof Disconnected) && !(error instanceof Refused)) throw error;
      this.#forgetSending(room);
      if (error instanceof Refused) this.#isRefused(room, text, error);
    }
    for (const event of sending.early.splice(0)) this.#onDraftEvent(event);
  }

  #forgetSending(room: string): void {
    const sending = this.#sending.get(room);
    if (sending) this.#maybeSent.set(room, sending.text);
    this.#sending.delete(room);
  }

  #isRefused(room: string, text: string, { isTemporary }: Refused): void {
    this.#maybeSent.delete(room);
    if (isTemporary) this.onTyped(room);
    else this.#refused.set(room, text);
  }
}
