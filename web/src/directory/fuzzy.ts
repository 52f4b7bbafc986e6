/**
 * Fuzzy search: `prg` finds “Project garden”. Pure.
 *
 * Adjacent letters, letters at the beginnings of words and letters near the front score higher.
 */

export interface Match {
  /** Higher is better. */
  readonly score: number;
  /** Which parts of the text matched: from, to (exclusive). */
  readonly spans: readonly (readonly [number, number])[];
}

const NONE: Match = { score: 0, spans: [] };
const LONGEST = 200;

/** Without case and accents; each letter keeps its position in the text. */
function folded(text: string): string[] {
  return Array.from(text.slice(0, LONGEST).split(''), (unit) => {
    const plain = unit.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
    return plain === '' ? unit : (plain[0] ?? unit);
  });
}

function isWordStart(text: string, at: number): boolean {
  const before = text[at - 1];
  if (before === undefined || !/[\p{L}\p{N}]/u.test(before)) return true;
  return /\p{Ll}/u.test(before) && /\p{Lu}/u.test(text[at] ?? '');
}

/** Null: no match. */
export function fuzzy(text: string, typed: string): Match | null {
  const wanted = folded(typed.normalize('NFC').replace(/[\s#@]+/gu, ''));
  if (wanted.length === 0) return NONE;
  const letters = folded(text);
  if (wanted.length > letters.length) return null;
  return inOne(text, letters, typed) ?? scattered(text, letters, wanted);
}

/** The query as one piece, preferably at the beginning of a word. */
function inOne(text: string, letters: readonly string[], typed: string): Match | null {
  const whole = folded(typed.normalize('NFC').trim().replace(/^[#@]+/u, ''));
  const line = letters.join('');
  const part = whole.join('');
  let best: Match | null = null;
  for (let at = line.indexOf(part); at >= 0; at = line.indexOf(part, at + 1)) {
    const isStart = isWordStart(text, at);
    const isAll = part.length === line.length;
    const score = 1000 + (isAll ? 500 : 0) + (at === 0 ? 200 : isStart ? 100 : 0) - at;
    if (!best || score > best.score) best = { score, spans: [[at, at + part.length]] };
  }
  return best;
}

/**
 * Letter by letter, in order. Dynamic programming finds the best placement: for each letter of the
 * query and each position of the text, the best score that ends there.
 */
function scattered(text: string, letters: readonly string[], wanted: readonly string[]): Match | null {
  const cameFrom: number[][] = [];
  let before: number[] = [];
  wanted.forEach((letter, row) => {
    const scores: number[] = new Array<number>(letters.length).fill(-Infinity);
    const from: number[] = new Array<number>(letters.length).fill(-1);
    let reached = row === 0 ? 0 : -Infinity;
    let reachedAt = -1;
    letters.forEach((other, at) => {
      if (row > 0 && at >= 2 && (before[at - 2] ?? -Infinity) > reached) {
        reached = before[at - 2] ?? -Infinity;
        reachedAt = at - 2;
      }
      if (other !== letter) return;
      const value = (isWordStart(text, at) ? 20 : 0) - (row === 0 ? Math.min(at, 15) : 0);
      const joined = row > 0 ? (before[at - 1] ?? -Infinity) + 15 : -Infinity;
      const isJoined = joined > reached - 3;
      scores[at] = value + (isJoined ? joined : row === 0 ? 0 : reached - 3);
      from[at] = isJoined ? at - 1 : reachedAt;
    });
    cameFrom.push(from);
    before = scores;
  });

  let end = -1;
  before.forEach((score, at) => {
    if (score > (before[end] ?? -Infinity)) end = at;
  });
  const score = before[end];
  // Letters scattered over the whole text are no match: each must gain more than it costs.
  if (score === undefined || score < wanted.length * 4) return null;
  const places: number[] = [];
  for (let row = wanted.length - 1, at = end; row >= 0; row -= 1) {
    places.unshift(at);
    at = cameFrom[row]?.[at] ?? -1;
  }
  return { score, spans: spansOf(places) };
}

function spansOf(places: readonly number[]): [number, number][] {
  const spans: [number, number][] = [];
  for (const at of places) {
    const last = spans.at(-1);
    if (last?.[1] === at) last[1] = at + 1;
    else spans.push([at, at + 1]);
  }
  return spans;
}

/** The text in parts, those that matched marked. */
export function matchedParts(text: string, { spans }: Match): { text: string; isMarked: boolean }[] {
  const found: { text: string; isMarked: boolean }[] = [];
  let from = 0;
  const add = (to: number, isMarked: boolean) => {
    if (to > from) found.push({ text: text.slice(from, to), isMarked });
    from = to;
  };
  for (const [start, end] of spans) {
    add(start, false);
    add(end, true);
  }
  add(text.length, false);
  return found;
}
