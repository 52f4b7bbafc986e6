/** The distance to a moment in words: “3 hours ago”, “in 7 days”. */

const MINUTE = 60_000;
const UNITS = [
  ['day', 24 * 60 * MINUTE],
  ['hour', 60 * MINUTE],
  ['minute', MINUTE],
] as const;

/** Days are the largest unit: somebody chose “in 30 days”, and “next month” would be different. */
export function fromNow(at: number, now: number, language: string, justNow: string): string {
  const away = at - now;
  // Some seconds less than a unit count as the whole unit: a link for 7 days should not say 6.
  const found = UNITS.find(([, length]) => Math.abs(away) + MINUTE / 2 >= length);
  if (!found) return justNow;
  const [unit, length] = found;
  // “Yesterday” is a good answer to when; “tomorrow” is too vague for an expiry.
  const numeric = away < 0 ? 'auto' : 'always';
  return new Intl.RelativeTimeFormat(language, { numeric }).format(Math.round(away / length), unit);
}
