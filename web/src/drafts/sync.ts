/** Syncs drafts between the devices of a person. The copy on this device comes first. */

import type { Draft, Fields, Ok, ServerEvent } from '../data/wire/protocol';
import { Disconnected, Refused } from '../data/wire/errors';
import { needsSending, onOwn, onIdle, onTheirs, type KnownDraft, type Outcome } from './merge';

/** The pause after typing. */
const PAUSE_MS = 1_500;
/** What the sync needs from the server. */
export interface DraftServer {
  readonly isOnline: boolean;
  request(command: 'drafts', fields: Fields<'drafts'>): Promise<{ drafts: Draft[] }>;
  request(command: 'draft', fields: Fields<'draft'>): Promise<Ok<'draft'>>;
}

/** The drafts on this device. */
export interface DraftStore {
  /** Rooms that have a draft, or had one when the server last received it. */
  rooms(): Iterable<string>;
  text(room: string): string;
  replyTo(room: string): number | null;
  put(room: string, text: string, replyTo: number | null): void;
  isTyping(room: string): boolean;
  known(room: string): KnownDraft;
  keep(room: string, known: KnownDraft): void;
}

type Changed = Omit<Extract<ServerEvent, { on: 'draft' }>, 'on'>;

/** A draft under way. Until its event arrives, nothing else is sent for its room. */
interface SendingDraft {
  text: string;
  /** The rev of its own event; null: not known yet. */
  rev: number | null;
  /** Events that arrived before it was known which one is its own. */
  early: Changed[];
}

export class DraftSync {
  #timers = new Map<string, ReturnType<typeof setTimeout>>();
  /** Rooms written in on this tab; drafts of other rooms may belong to another tab. */
  #writtenHere = new Set<string>();
  #sending = new Map<string, SendingDraft>();
  /** What was under way when the connection broke. The next answer tells whether it arrived. */
  #maybeSent = new Map<string, string>();
  /** Texts that the server refused. */
  #refused = new Map<string, string>();
  /** The time of the newest change received on this connection. */
  #changedAt = new Map<string, number>();
  /** Nothing is sent before the server's drafts are known. */
  #isLoaded = false;
  #loads = 0;

  constructor(
    private readonly server: DraftServer,
    private readonly store: DraftStore,
  ) {}

  /** An event of the user; null: the connection is new, or events may have been missed. */
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
    this.#changedAt.clear();
    for (const [room, { rev }] of this.#sending) if (rev !== null) this.#forgetSending(room);
    try {
      const { drafts } = await this.server.request('drafts', {});
      if (load !== this.#loads) return;
      this.#loaded(drafts);
    } catch (error) {
      if (!(error instanceof Disconnected) && !(error instanceof Refused)) throw error;
      // The next welcome loads them again.
    }
  }

  #loaded(drafts: readonly Draft[]): void {
    const here = new Set(drafts.map(({ room }) => room));
    // An event received in the meantime is newer than an answer that lacks it.
    const gone = [...this.store.rooms()].filter((room) => !here.has(room) && !this.#changedAt.has(room));
    const all = [...drafts, ...gone.map((room) => ({ room, text: '', at: 0 }))];
    for (const draft of all) {
      const sent = this.#sending.get(draft.room)?.text ?? this.#maybeSent.get(draft.room);
      this.#changed({ ...draft, rev: 0 }, sent === draft.text);
    }
    this.#maybeSent.clear();
    this.#isLoaded = true;
    for (const room of this.store.rooms()) void this.#send(room);
  }

  /** The draft of this room was changed or sent. */
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

  /** The user stopped typing: apply what arrived in the meantime. */
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
    if (at < (this.#changedAt.get(room) ?? 0)) return;
    this.#changedAt.set(room, at);
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
