/** At the door the server says how long to wait before the next attempt. */

import { explain } from '../../app/trouble';
import { Refused } from '../../data/refusals';
import { doorWords } from './words';

export function sentenceFor(error: unknown): string {
  if (error instanceof Refused && error.code === 'rate_limited' && error.retryAfterS !== null) {
    return doorWords().waitSeconds(Math.ceil(error.retryAfterS));
  }
  return explain(error);
}
