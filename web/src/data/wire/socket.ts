/**
 * The connection: opens, resumes and reconnects by itself; numbers commands and matches replies to
 * them.
 *
 * It knows frames and close codes, but nothing about rooms. Its owner sends the hello after `opened`.
 */

import {
  CLOSE,
  SUBPROTOCOL,
  type CommandName,
  type Fields,
  type Ok,
  type ServerEvent,
  type ServerFrame,
  type OneWayCommands,
} from './protocol';
import { Disconnected, Refused } from './errors';

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 30_000;
/** If a reply takes longer than this, the connection is dead (sleep, another network). */
const PROBE_MS = 8_000;

export type SessionEnd = 'policy' | 'sign-in';

export interface SocketObserver {
  /** The socket is open: send the hello. */
  opened(): void;
  event(event: ServerEvent): void;
  /** The socket is closed; the next attempt follows after `retryInMs`. */
  closed(retryInMs: number): void;
  /** The server refuses this user or this session: no further attempts. */
  ended(sessionEnd: SessionEnd): void;
  /** An attempt failed before the socket opened: is the session still valid? False ends it. */
  mayRetry(): Promise<boolean>;
}

/** What the socket needs from its environment; tests pass their own. */
export interface Environment {
  connect(): WebSocket;
  random(): number;
}

export function browserEnvironment(): Environment {
  const address = new URL('/ws', location.href);
  address.protocol = address.protocol.replace('http', 'ws');
  return { connect: () => new WebSocket(address, SUBPROTOCOL), random: Math.random };
}

interface PendingReply {
  resolve(ok: unknown): void;
  reject(error: Error): void;
}

export class Socket {
  #socket: WebSocket | null = null;
  #waiting = new Map<number, PendingReply>();
  #nextId = 1;
  #failures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The delay that the server asked for when it announced its stop. */
  #retryAfterS: number | null = null;
  #stopped = true;
  #probing = false;

  constructor(
    private readonly listener: SocketObserver,
    private readonly environment: Environment = browserEnvironment(),
  ) {}

  get isOpen(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#connect();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#dropConnection(1000);
  }

  /** The hello was refused: reconnect later. */
  reconnectLater(retryAfterS: number | null): void {
    this.#retryAfterS ??= retryAfterS;
    this.#onLost(1000);
  }

  /** The hello was answered: the next failure counts as the first again. */
  confirmOpen(): void {
    this.#failures = 0;
  }

  /** Sends a command and waits for its reply. Throws Refused or Disconnected. */
  request<C extends CommandName>(command: C, fields: Fields<C>): Promise<Ok<C>> {
    const socket = this.#socket;
    if (!socket || socket.readyState !== WebSocket.OPEN) return Promise.reject(new Disconnected());
    const id = this.#nextId++;
    return new Promise<Ok<C>>((resolve, reject) => {
      this.#waiting.set(id, { resolve: (ok) => resolve(ok as Ok<C>), reject });
      socket.send(JSON.stringify({ id, do: command, ...fields }));
    });
  }

  /** Sends a command that gets no reply. It is lost without a connection. */
  sendOneWay<C extends keyof OneWayCommands>(command: C, fields: OneWayCommands[C]): void {
    if (this.isOpen) this.#socket?.send(JSON.stringify({ do: command, ...fields }));
  }

  /** Waits for any reply; by then everything the server sent before has arrived. */
  async roundTrip(): Promise<void> {
    try {
      await this.request('about', {});
    } catch (error) {
      if (error instanceof Disconnected) throw error;
    }
  }

  /** The network may have changed: connect now, or find out whether the connection is dead. */
  checkConnection(): void {
    if (this.#stopped) return;
    if (this.#socket === null) this.#connect();
    else if (this.isOpen) void this.#probe();
  }

  async #probe(): Promise<void> {
    if (this.#probing) return;
    this.#probing = true;
    const socket = this.#socket;
    const timer = setTimeout(() => {
      if (this.#socket === socket) this.#onLost(0);
    }, PROBE_MS);
    try {
      await this.roundTrip();
    } catch {
      // The loss is handled where it is noticed.
    } finally {
      clearTimeout(timer);
      this.#probing = false;
    }
  }

  #connect(): void {
    clearTimeout(this.#timer);
    const socket = this.environment.connect();
    this.#socket = socket;
    let opened = false;
    socket.onopen = () => {
      opened = true;
      if (this.#socket === socket) this.listener.opened();
    };
    socket.onmessage = (message: MessageEvent<unknown>) => {
      if (this.#socket === socket) this.#receive(message.data);
    };
    socket.onclose = (close) => {
      if (this.#socket === socket) void this.#onClose(close.code, opened);
    };
  }

  #receive(data: unknown): void {
    if (typeof data !== 'string') return;
    const frame = JSON.parse(data) as ServerFrame;
    if ('on' in frame) {
      if (frame.on === 'notice' && frame.retry_after) this.#retryAfterS = frame.retry_after;
      this.listener.event(frame);
      return;
    }
    const waiting = frame.re === null ? undefined : this.#waiting.get(frame.re);
    if (!waiting || frame.re === null) return;
    this.#waiting.delete(frame.re);
    if ('ok' in frame) waiting.resolve(frame.ok);
    else waiting.reject(new Refused(frame.error));
  }

  async #onClose(code: number, opened: boolean): Promise<void> {
    if (code === CLOSE.policy || code === CLOSE.signIn) {
      this.#end(code === CLOSE.policy ? 'policy' : 'sign-in');
      return;
    }
    this.#onLost(code);
    if (opened || (await this.listener.mayRetry())) return;
    this.#end('sign-in');
  }

  #end(sessionEnd: SessionEnd): void {
    if (this.#stopped) return;
    this.stop();
    this.listener.ended(sessionEnd);
  }

  /** Gives up this connection and reconnects later. */
  #onLost(code: number): void {
    this.#dropConnection(code);
    if (this.#stopped) return;
    const delay = this.#delayMs(code);
    this.#failures += 1;
    this.#timer = setTimeout(() => this.#connect(), delay);
    this.listener.closed(delay);
  }

  #delayMs(code: number): number {
    const retryAfterS = this.#retryAfterS;
    this.#retryAfterS = null;
    // All clients of a server reconnect, so spread them over as long again as it asked for.
    if (retryAfterS !== null) return retryAfterS * 1000 * (1 + this.environment.random());
    if (code === CLOSE.tooSlow && this.#failures === 0) return 0;
    const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#failures);
    return longest * (0.5 + this.environment.random() / 2);
  }

  #dropConnection(code: number): void {
    const socket = this.#socket;
    this.#socket = null;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      // Closing waits for the other side, which may be gone.
      if (socket.readyState <= WebSocket.OPEN) socket.close(code === 1000 ? 1000 : undefined);
    }
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const one of waiting) one.reject(new Disconnected());
  }
}
