/** The token that is being completed at the caret, and its matches. Pure. */

export type Completing = 'person' | 'room' | 'emoji' | 'command';

export interface Token {
  readonly kind: Completing;
  /** The text after the sign. */
  readonly query: string;
  /** From the sign to the caret. */
  readonly start: number;
  readonly end: number;
}

// Not inside words, because mail addresses, times and links contain these signs too. Handles and rooms
// begin where the server and the timeline recognise them.
const SIGNS: readonly (readonly [Completing, RegExp])[] = [
  ['command', /^\/([a-z]*)$/iu],
  ['person', /(?<![\p{L}\p{N}_@/.])@([\p{L}\p{M}\p{N}_.-]{0,64})$/u],
  ['room', /(?<![\p{L}\p{N}_#&/])#([\p{L}\p{M}\p{N}_-]{0,80})$/u],
  ['emoji', /(?<![\p{L}\p{N}_:/]):([\p{L}\p{N}_+-]{2,40})$/u],
];

// The longest token including its sign.
const LOOK_BACK = 82;

export function tokenAt(text: string, caret: number): Token | null {
  const from = Math.max(0, caret - LOOK_BACK);
  const before = text.slice(from, caret);
  for (const [kind, pattern] of SIGNS) {
    // A command must be at the very beginning.
    if (kind === 'command' && from > 0) continue;
    const query = pattern.exec(before)?.[1];
    if (query === undefined) continue;
    if (kind !== 'command' && isInCode(text, caret)) return null;
    return { kind, query, start: caret - query.length - 1, end: caret };
  }
  return null;
}

/** A complete `:shortcode:` that ends at the caret. */
export function shortcodeAt(text: string, caret: number): Token | null {
  if (text[caret - 1] !== ':') return null;
  const token = tokenAt(text, caret - 1);
  return token?.kind === 'emoji' ? { ...token, end: caret } : null;
}

/** Whether the caret is in a code span or a fenced block, judging by the text before it. */
export function isInCode(text: string, caret: number): boolean {
  const lines = text.slice(0, caret).split('\n');
  let fence: string | null = null;
  let paragraph = '';
  for (const line of lines) {
    const mark: string | undefined = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1];
    if (fence !== null) {
      const closes = mark?.startsWith(fence) && line.trim() === mark;
      if (closes) fence = null;
      paragraph = '';
    } else if (mark && !line.slice(line.indexOf(mark) + mark.length).includes('`')) {
      fence = mark;
    } else {
      paragraph = line.trim() === '' ? '' : `${paragraph}\n${line}`;
    }
  }
  return fence !== null || hasOpenSpan(paragraph);
}

/** A run of backticks opens a span, and the next run of the same length closes it (CommonMark 6.1). */
function hasOpenSpan(paragraph: string): boolean {
  let open = 0;
  for (const [run] of paragraph.matchAll(/`+/g)) {
    if (open === 0) open = run.length;
    else if (open === run.length) open = 0;
  }
  return open > 0;
}

/** Without case and accents, for comparing. */
export function fold(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
}

/**
 * How well a name matches the query; 0 is best, null is no match. In this order: the whole name, its
 * beginning, the beginning of a word, any part, the letters in order.
 */
export function fit(query: string, name: string): number | null {
  const wanted = fold(query);
  const folded = fold(name);
  if (folded === wanted) return 0;
  if (folded.startsWith(wanted)) return 1;
  const at = folded.indexOf(wanted);
  if (at >= 0) return folded.split(/[\s._-]+/).some((word) => word.startsWith(wanted)) ? 2 : 3;
  return wanted.length > 1 && hasInOrder(folded, wanted) ? 4 : null;
}

function hasInOrder(text: string, letters: string): boolean {
  let at = 0;
  for (const letter of letters) {
    at = text.indexOf(letter, at) + 1;
    if (at === 0) return false;
  }
  return true;
}

/** The best `items` by the best of their names; equal ones keep their order. */
export function best<T>(
  items: readonly T[],
  query: string,
  namesOf: (item: T) => readonly string[],
  limit: number,
): T[] {
  if (query === '') return items.slice(0, limit);
  const ranked: { item: T; rank: number }[] = [];
  for (const item of items) {
    const ranks = namesOf(item).map((name) => fit(query, name) ?? Infinity);
    const rank = Math.min(...ranks);
    if (rank < Infinity) ranked.push({ item, rank });
  }
  return ranked
    .sort((a, b) => a.rank - b.rank)
    .slice(0, limit)
    .map(({ item }) => item);
}
