/** Turns an error into a sentence in the user's language. */

import { Disconnected, Refused, Unreachable } from '../data/wire/errors';
import type { ErrorCode } from '../words/en/errors';
import { words } from '../words/language.svelte';
import { liveRegion } from './liveRegion.svelte';

export function explain(error: unknown): string {
  const t = words().errors;
  if (error instanceof Refused) return t.codes[error.code as ErrorCode] ?? error.message;
  if (error instanceof Disconnected) return t.disconnected;
  if (error instanceof Unreachable) return t.unreachable;
  console.error(error);
  return t.unexpected;
}

/** Run it and show an error if it fails. Returns whether it succeeded. */
export async function attempt(what: () => Promise<unknown>): Promise<boolean> {
  try {
    await what();
    return true;
  } catch (error) {
    liveRegion.alert(explain(error));
    return false;
  }
}
