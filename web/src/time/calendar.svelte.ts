/** The current day and time formats; both may change while the page is open. */

import { language } from '../words/language.svelte';
import { localeOf, startOfDay, Times } from './times';

function zoneNow(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

class Calendar {
  /** When today began. */
  today = $state.raw(startOfDay(Date.now()));
  zone = $state.raw(zoneNow());
  readonly times = $derived.by(() => {
    // The formats take the time zone at their creation.
    void this.zone;
    return new Times(localeOf(language.current));
  });
  #midnight: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    this.#update();
    // After sleep or travel, the page notices here.
    document.addEventListener('visibilitychange', () => this.#update());
  }

  #update(): void {
    const now = Date.now();
    this.today = startOfDay(now);
    this.zone = zoneNow();
    clearTimeout(this.#midnight);
    this.#midnight = setTimeout(() => this.#update(), startOfDay(now, 1) - now + 50);
  }
}

export const calendar = new Calendar();
