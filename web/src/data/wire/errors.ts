/** What can become of a command but its answer. */

/** What the server refused, by a stable code for programs and a sentence for people. */
export interface Refusal {
  code: string;
  message: string;
  retry_after?: number | null;
}

export class Refused extends Error {
  readonly code: string;
  readonly retryAfterS: number | null;

  constructor(refusal: Refusal) {
    super(refusal.message);
    this.name = 'Refused';
    this.code = refusal.code;
    this.retryAfterS = refusal.retry_after ?? null;
  }

  /** Whether the same command may succeed later with nothing changed. */
  get isTemporary(): boolean {
    return PASSING.has(this.code);
  }
}

const PASSING: ReadonlySet<string> = new Set([
  'rate_limited',
  'too_many_connections',
  'busy',
  'unavailable',
  'internal',
]);

/** The connection went before the answer came: whether it was done is not known. */
export class Disconnected extends Error {
  constructor() {
    super('The connection was lost.');
    this.name = 'Disconnected';
  }
}

/** The server could not be reached at all. */
export class Unreachable extends Error {
  constructor(cause: unknown) {
    super('The server could not be reached.', { cause });
    this.name = 'Unreachable';
  }
}
