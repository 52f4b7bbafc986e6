/** The ways in which a command can fail. */

/** A refusal of the server: a stable code for programs and a sentence for people. */
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

  /** Whether the same command may succeed later without any change. */
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

/** The connection was lost before the answer arrived; the command may or may not have been executed. */
export class Disconnected extends Error {
  constructor() {
    super('The connection was lost.');
    this.name = 'Disconnected';
  }
}

/** The server could not be reached. */
export class Unreachable extends Error {
  constructor(cause: unknown) {
    super('The server could not be reached.', { cause });
    this.name = 'Unreachable';
  }
}
