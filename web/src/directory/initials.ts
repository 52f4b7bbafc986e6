/** What replaces a picture of a person: initials on a colour derived from the handle. */

/** A hue in degrees, the same for a handle on every device. */
export function hueOf(name: string): number {
  let hash = 0;
  for (const char of name) hash = (Math.imul(hash, 31) + (char.codePointAt(0) ?? 0)) >>> 0;
  return hash % 360;
}

const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

function firstOf(word: string): string {
  const [first] = segmenter.segment(word);
  return first?.segment.toLocaleUpperCase() ?? '';
}

/** Of the first and the last word. */
export function initialsOf(displayName: string): string {
  const parts = displayName.split(/[\s._-]+/u).filter((part) => /[\p{L}\p{N}]/u.test(part));
  const [first = displayName] = parts;
  const last = parts.length > 1 ? (parts.at(-1) ?? '') : '';
  return firstOf(first.replace(/^~/u, '')) + firstOf(last);
}
