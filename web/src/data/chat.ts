/**
 * The chat of one person in one tab: connects socket, reducer, sync, store and outbox.
 *
 * Data flows one way: socket → reducer → `state` → listeners. Views call the methods here, and the
 * results come back through the state.
 */

import { hasSession } from './wire/hasSession';
import { eraseDrafts, loadLastSession, reactionsKey, rememberSession } from './storage/local';
import { ReadMarkers } from './readMarkers';
import { eraseOutbox, Outbox, type NewMessage, type Pending } from './storage/outbox';
import { History } from './history';
import { People, namesIn } from './people';
import type {
  CommandName,
  Fields,
  Joined,
  MarksEvent,
  Message as WireMessage,
  Ok,
  ServerEvent,
  Welcome,
} from './wire/protocol';
import { Disconnected, Refused } from './wire/errors';
import { onEvent } from './state/reducer';
import {
  onDisconnected,
  onFollowing,
  onJoined,
  onMine,
  onOpened,
  onWelcome,
  onWelcomeOver,
} from './state/replies';
import { browserEnvironment, Socket, type SessionEnd, type Environment } from './wire/socket';
import { findMessage, INITIAL, toMarks, toMessage, type State } from './state/state';
import { eraseCaches, Store } from './storage/store';
import { Syncing } from './sync';

const SAVE_AFTER_MS = 500;
const TYPING_EVERY_MS = 3_000;

export type Connection =
  | { readonly status: 'connecting' | 'online' }
  | { readonly status: 'lost'; readonly since: number };

export interface Callbacks {
  /** State, pending messages or the connection have changed. */
  changed(): void;
  /** An announcement of the server to everyone. */
  notice(text: string): void;
  /** A live message has arrived, and not one from history. */
  heard(message: WireMessage): void;
  /**
   * The session is over. With `policy` it is not allowed any more, after `sign-in` one can sign in
   * again.
   */
  ended(sessionEnd: SessionEnd): void;
  /** The cookie belongs to somebody else now, who signed in in another tab. */
  userChanged(): void;
}

/**
 * Called after each event was applied, with whether it was live. Null: events may have been missed, so
 * fetch again.
 */
export type ChatListener = (event: ServerEvent | null, isLive: boolean) => void;

export class Chat {
  state: State = INITIAL;
  connection: Connection = { status: 'connecting' };
  readonly history: History;
  readonly markers: ReadMarkers;

  #store: Store | null = null;
  #outbox: Outbox | null = null;
  #saveTimer: ReturnType<typeof setTimeout> | undefined;
  #isFetchingMine = false;
  #typing = { room: '', at: 0 };
  #active = true;
  /** Events that arrived before the welcome. */
  #earlyEvents: ServerEvent[] | null = null;
  readonly #listeners = new Set<ChatListener>();
  readonly #socket: Socket;
  readonly #syncing: Syncing;
  readonly #people: People;

  constructor(
    readonly user: string,
    private readonly callbacks: Callbacks,
    environment: Environment = browserEnvironment(),
  ) {
    this.#socket = new Socket(
      {
        opened: () => void this.#hello(),
        event: (event) => this.#onEvent(event),
        closed: () => this.#onClosed(),
        ended: (sessionEnd) => callbacks.ended(sessionEnd),
        mayRetry: hasSession,
      },
      environment,
    );
    this.#syncing = new Syncing(this, (fields) => this.request('sync', fields));
    this.#people = new People(this, (fields) => this.request('users', fields));
    this.markers = new ReadMarkers(this, (fields) => this.request('read', fields));
    this.history = new History(this, {
      page: (fields) => this.request('history', fields),
      stored: async (room, seq, limit) => (await this.#store?.before(room, seq, limit)) ?? [],
      arrived: (messages) => this.#arrived(messages),
    });
  }

  /** Loads what the browser has stored, then connects. */
  async start(): Promise<void> {
    const last = loadLastSession();
    if (last?.user === this.user) await this.#load(new Store(last.epoch, last.user));
    try {
      this.#outbox = await Outbox.open(
        this.user,
        { isReady: () => this.isOnline, post: (fields) => this.request('post', fields) },
        () => this.callbacks.changed(),
      );
    } catch (error) {
      // Reading works without it; posting reports an error.
      console.warn('Hubbub could not open the browser’s database.', error);
    }
    this.callbacks.changed();
    this.#socket.start();
  }

  async #load(store: Store): Promise<void> {
    this.#store = store;
    try {
      const stored = await store.load(this.state);
      // A view may have opened rooms while the store was loading.
      const { open } = this.state;
      this.state = { ...stored, open };
      await store.prune();
    } catch (error) {
      // The database is only a cache, so continue without it.
      console.warn('Hubbub could not read the browser’s database.', error);
    }
  }

  /** Stops without changing anything. */
  async stop(): Promise<void> {
    this.#socket.stop();
    clearTimeout(this.#saveTimer);
    await this.#store?.save(this.state);
    await this.#store?.close();
    this.#outbox?.close();
  }

  /**
   * Stops and erases what the browser has stored of the person; drafts and unsent messages only with
   * `unsent`.
   */
  async erase({ unsent }: { unsent: boolean }): Promise<void> {
    await this.stop();
    // Somebody else may have signed in in another tab.
    if (loadLastSession()?.user === this.user) rememberSession(null);
    await eraseCaches(this.user);
    localStorage.removeItem(reactionsKey(this.user));
    if (!unsent) return;
    eraseDrafts(this.user);
    await eraseOutbox(this.user);
  }

  get isOnline(): boolean {
    return this.connection.status === 'online';
  }

  get pending(): readonly Pending[] {
    return this.#outbox?.items ?? [];
  }

  /** Sends a command. Throws Refused or Disconnected. */
  request<C extends CommandName>(command: C, fields: Fields<C>): Promise<Ok<C>> {
    return this.#socket.request(command, fields);
  }

  update(how: (state: State) => State): void {
    const after = how(this.state);
    if (after === this.state) return;
    this.state = after;
    if (this.isOnline) this.#syncing.check();
    this.#saveSoon();
    this.callbacks.changed();
  }

  /** Listens until the returned function is called. */
  listen(listener: ChatListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #notifyListeners(event: ServerEvent | null, isLive = false): void {
    for (const listener of this.#listeners) listener(event, isLive);
  }

  // --- what a person does -------------------------------------------------------------------------

  /** Throws if the browser cannot store the message; then the caller has to keep the text. */
  async post(draft: NewMessage): Promise<void> {
    if (!this.#outbox) throw new Error('The outbox is not open yet.');
    await this.#outbox.add(draft, Date.now());
    this.#typing = { room: '', at: 0 };
  }

  retry(nonce: string): void {
    void this.#outbox?.retry(nonce);
  }

  discard(nonce: string): void {
    void this.#outbox?.remove(nonce);
  }

  /** Sets the rooms on screen. */
  open(...rooms: string[]): void {
    this.update((state) => onOpened(state, rooms));
  }

  follow(room: string, following: boolean): void {
    this.update((state) => onFollowing(state, room, following));
  }

  async join(room: string): Promise<void> {
    this.applyJoined(await this.request('join', { room }));
  }

  typing(room: string): void {
    const now = Date.now();
    if (this.#typing.room === room && now - this.#typing.at < TYPING_EVERY_MS) return;
    this.#typing = { room, at: now };
    this.#socket.sendOneWay('typing', { room });
  }

  /** Sets whether the user is active on this device. */
  setActive(active: boolean): void {
    if (this.#active === active) return;
    this.#active = active;
    if (this.isOnline) this.#tellActive();
  }

  /**
   * Called when the network, the tab or the machine woke up: checks whether the connection is still
   * alive.
   */
  checkConnection(): void {
    this.#socket.checkConnection();
  }

  // --- what comes in -----------------------------------------------------------------------------

  async #hello(): Promise<void> {
    this.#earlyEvents = [];
    const rooms: Record<string, number> = {};
    for (const room of this.state.rooms.values()) {
      const isMine = room.role !== null || this.state.me?.role === 'guest';
      if (room.have !== null && isMine) rooms[room.room] = room.have;
    }
    try {
      this.#welcome(await this.request('hello', { epoch: this.state.epoch, rooms }));
      await this.#socket.roundTrip();
      this.update(onWelcomeOver);
    } catch (error) {
      if (error instanceof Disconnected) return;
      if (!(error instanceof Refused)) throw error;
      this.#socket.reconnectLater(error.retryAfterS);
    }
  }

  #welcome(welcome: Welcome): void {
    if (welcome.me.name !== this.user) {
      this.callbacks.userChanged();
      return;
    }
    if (this.#store?.epoch !== welcome.epoch) this.#changeEpoch(welcome.epoch);
    this.#socket.confirmOpen();
    this.connection = { status: 'online' };
    this.update((state) => onWelcome(state, welcome));
    const early = this.#earlyEvents ?? [];
    this.#earlyEvents = null;
    for (const event of early) this.#onEvent(event);
    this.#notifyListeners(null);
    if (!this.#active) this.#tellActive();
    this.markers.resend();
    void this.#outbox?.drain();
  }

  #changeEpoch(epoch: string): void {
    void this.#store?.close();
    this.#store = new Store(epoch, this.user);
    rememberSession({ user: this.user, epoch });
    void eraseCaches(this.user, this.#store.name);
  }

  #onEvent(event: ServerEvent): void {
    if (this.#earlyEvents) {
      this.#earlyEvents.push(event);
      return;
    }
    if (event.on === 'notice') this.callbacks.notice(event.text);
    if (event.on === 'reset') this.#store?.forget(event.room);
    const wasLive = 'room' in event && this.#isLive(event.room as string);
    this.update((state) => onEvent(state, event, Date.now()));
    if (event.on === 'message') {
      this.#arrived([event]);
      if (wasLive) this.callbacks.heard(event);
    }
    if (event.on === 'marks') this.#onMarks(event);
    this.#notifyListeners(event, wasLive);
    if (event.on === 'removed') this.#store?.forget(event.room);
    if (this.state.myHead > this.state.myRev) void this.#fetchMine();
  }

  #isLive(room: string): boolean {
    return this.state.rooms.get(room)?.catchUp === 'none';
  }

  #arrived(messages: readonly WireMessage[]): void {
    for (const wire of messages) {
      for (const name of namesIn(wire)) this.#people.want(name);
      if (wire.by === this.user && wire.nonce) this.#outbox?.confirm(wire.nonce);
      // In a room that has not been synced yet, the message would leave a gap in the store.
      const room = this.state.rooms.get(wire.room);
      if (!room || room.catchUp === 'later') continue;
      this.#store?.keep(findMessage(room, wire.seq) ?? toMessage(wire));
    }
    this.#saveSoon();
  }

  #onMarks(event: MarksEvent): void {
    const { room, seq, rev } = event;
    this.#store?.keep({ room, seq, marks: toMarks(event, rev) });
    this.#saveSoon();
  }

  /** Applies the reply to joining, creating or finding a room, and returns its id. */
  applyJoined(reply: Joined): string {
    this.update((state) => onJoined(state, reply, state.myRev));
    this.#arrived(reply.messages);
    return reply.room.room;
  }

  async #fetchMine(): Promise<void> {
    if (this.#isFetchingMine || !this.isOnline) return;
    this.#isFetchingMine = true;
    try {
      while (this.state.myHead > this.state.myRev) {
        const reply = await this.request('me', {});
        this.update((state) => onMine(state, reply));
        this.#notifyListeners(null);
      }
    } catch (error) {
      if (!(error instanceof Disconnected) && !(error instanceof Refused)) throw error;
      // The next event of mine, or the next welcome, closes the gap.
    } finally {
      this.#isFetchingMine = false;
    }
  }

  #tellActive(): void {
    this.#socket.sendOneWay('active', { active: this.#active });
  }

  #onClosed(): void {
    if (this.connection.status !== 'lost') this.connection = { status: 'lost', since: Date.now() };
    this.update(onDisconnected);
    this.callbacks.changed();
  }

  #saveSoon(): void {
    this.#saveTimer ??= setTimeout(() => this.save(), SAVE_AFTER_MS);
  }

  /** Writes to the database immediately, as the page may be closing. */
  save(): void {
    clearTimeout(this.#saveTimer);
    this.#saveTimer = undefined;
    void this.#store?.save(this.state);
  }
}
