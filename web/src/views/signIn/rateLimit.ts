/** For sign-in attempts, the message says how long to wait. */

import { explain } from '../../app/errors';
import { Refused } from '../../data/wire/errors';
import { signInWords } from './words';

export function explainAttempt(error: unknown): string {
  if (error instanceof Refused && error.code === 'rate_limited' && error.retryAfterS !== null) {
    const seconds = Math.ceil(error.retryAfterS);
    const words = signInWords();
    return seconds <= 90 ? words.waitSeconds(seconds) : words.waitMinutes(Math.ceil(seconds / 60));
  }
  return explain(error);
}
