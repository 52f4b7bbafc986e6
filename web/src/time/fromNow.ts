/** How far away a moment is, as the language says it: “3 hours ago”, “in 7 days”. */

const MINUTE = 60_000;
const UNITS = [
  ['day', 24 * 60 * MINUTE],
  ['hour', 60 * MINUTE],
  ['minute', MINUTE],
] as const;

/** Days are the largest unit: “in 30 days” is what somebody chose, and “next month” is not. */
export function fromNow(at: number, now: number, language: string, justNow: string): string {
  const away = at - now;
  // Short of a unit by seconds is the whole of it: a link for 7 days is not one for 6.
  const found = UNITS.find(([, length]) => Math.abs(away) + MINUTE / 2 >= length);
  if (!found) return justNow;
  const [unit, length] = found;
  // “Yesterday” is a good answer to when; “tomorrow” is a vague one to until when.
  const numeric = away < 0 ? 'auto' : 'always';
  return new Intl.RelativeTimeFormat(language, { numeric }).format(Math.round(away / length), unit);
}
