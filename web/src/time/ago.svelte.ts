/** How long ago something was; the text is updated while it is on screen. */

import { language } from '../words/language.svelte';
import { localeOf } from './times';

const MINUTE_MS = 60_000;
const UNITS = [
  ['year', 365 * 24 * 60],
  ['month', 30 * 24 * 60],
  ['week', 7 * 24 * 60],
  ['day', 24 * 60],
  ['hour', 60],
  ['minute', 1],
] as const;

class Clock {
  /** To the minute. */
  now = $state.raw(Date.now());

  constructor() {
    const look = () => (this.now = Date.now());
    setInterval(look, MINUTE_MS / 2);
    // Timers of a hidden page run late.
    document.addEventListener('visibilitychange', look);
  }
}

const clock = new Clock();
const format = $derived(new Intl.RelativeTimeFormat(localeOf(language.current), { numeric: 'auto' }));

/** “5 minutes ago”; null: less than a minute ago, or in the future because the clocks differ. */
export function ago(at: number): string | null {
  const minutes = Math.floor((clock.now - at) / MINUTE_MS);
  const found = UNITS.find(([, length]) => minutes >= length);
  return found ? format.format(-Math.floor(minutes / found[1]), found[0]) : null;
}
