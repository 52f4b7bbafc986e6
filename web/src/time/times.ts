/** Times in the format of the language and region. */

import type { Language } from '../words/language.svelte';

/** The user's regional variant of the language, such as British English, if the browser names one. */
export function localeOf(language: Language, tags: readonly string[] = navigator.languages): string {
  return tags.find((tag) => tag.split('-')[0] === language) ?? language;
}

export function startOfDay(at: number, days = 0): number {
  const date = new Date(at);
  // Not 24 hours later: a day on which the clocks change has 23 or 25.
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + days).getTime();
}

/** The number of calendar days between them. */
function daysBetween(at: number, now: number): number {
  return Math.round((startOfDay(now) - startOfDay(at)) / 86_400_000);
}

/**
 * Recreated when the language or the time zone changes; creating formats is expensive, using them is
 * not.
 */
export class Times {
  readonly #clock: Intl.DateTimeFormat;
  readonly #full: Intl.DateTimeFormat;
  readonly #day: Intl.DateTimeFormat;
  readonly #dayOfYear: Intl.DateTimeFormat;
  readonly #relative: Intl.RelativeTimeFormat;

  constructor(private readonly locale: string) {
    const day = { weekday: 'long', day: 'numeric', month: 'long' } as const;
    this.#clock = new Intl.DateTimeFormat(locale, { timeStyle: 'short' });
    this.#full = new Intl.DateTimeFormat(locale, { dateStyle: 'full', timeStyle: 'short' });
    this.#day = new Intl.DateTimeFormat(locale, day);
    this.#dayOfYear = new Intl.DateTimeFormat(locale, { ...day, year: 'numeric' });
    this.#relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });
  }

  /** 09:41 */
  clock(at: number): string {
    return this.#clock.format(at);
  }

  /** Tuesday 25 November 2025 at 09:41 */
  full(at: number): string {
    return this.#full.format(at);
  }

  /** Today; Yesterday; Sunday 23 November; Wednesday 25 December 2024 */
  day(at: number, now: number): string {
    const ago = daysBetween(at, now);
    if (ago === 0 || ago === 1) return this.#capital(this.#relative.format(-ago, 'day'));
    const isThisYear = new Date(at).getFullYear() === new Date(now).getFullYear();
    return this.#capital((isThisYear ? this.#day : this.#dayOfYear).format(at));
  }

  #capital(text: string): string {
    return text.replace(/^\p{L}/u, (letter) => letter.toLocaleUpperCase(this.locale));
  }
}
