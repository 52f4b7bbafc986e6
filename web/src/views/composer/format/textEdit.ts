/** A text with its selection, and edits of it. */

export interface TextSelection {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** Replaces the text from `from` to `to` with `by`. */
export interface Edit {
  readonly from: number;
  readonly to: number;
  readonly by: string;
}

/** Applies edits, which must be in order and not overlap. The selection stays on the same text. */
export function applyEdits({ text, start, end }: TextSelection, edits: readonly Edit[]): TextSelection {
  let after = '';
  let done = 0;
  for (const { from, to, by } of edits) {
    after += text.slice(done, from) + by;
    done = to;
  }
  const newStart = movePosition(start, edits, true);
  return {
    text: after + text.slice(done),
    start: newStart,
    end: start === end ? newStart : movePosition(end, edits, false),
  };
}

/**
 * The new position of an offset. Text inserted exactly there goes before it if it `yields`, otherwise
 * behind it.
 */
function movePosition(place: number, edits: readonly Edit[], yields: boolean): number {
  let away = 0;
  for (const { from, to, by } of edits) {
    if (to < place || (to === place && (yields || from < to))) away += by.length - (to - from);
    else if (from < place) away += from + by.length - place;
  }
  return place + away;
}

/** The smallest single edit that turns one text into the other. */
export function difference(before: string, after: string): Edit {
  const shorter = Math.min(before.length, after.length);
  let from = 0;
  while (from < shorter && before[from] === after[from]) from += 1;
  let same = 0;
  while (same < shorter - from && before.at(-1 - same) === after.at(-1 - same)) same += 1;
  return { from, to: before.length - same, by: after.slice(from, after.length - same) };
}

/** Without white space at the ends of the selection. */
export function trimSelection({ text, start, end }: TextSelection): TextSelection {
  const chosen = text.slice(start, end);
  const from = start + chosen.length - chosen.trimStart().length;
  return { text, start: from, end: Math.max(from, start + chosen.trimEnd().length) };
}

export const lineStart = (text: string, place: number): number =>
  text.slice(0, place).lastIndexOf('\n') + 1;

export interface Range {
  readonly from: number;
  readonly to: number;
}

const BLANK_LINE = /\n[^\S\n]*(?=\n)/g;

/** The paragraphs that the selection touches; no delimiter reaches across an empty line. */
export function paragraphsAt({ text, start, end }: TextSelection): Range[] {
  const found: Range[] = [];
  let from = 0;
  for (const { 0: gap, index } of [...text.matchAll(BLANK_LINE), { 0: '', index: text.length }]) {
    if (index >= start && from <= end) found.push({ from, to: index });
    from = index + gap.length;
  }
  return found;
}
