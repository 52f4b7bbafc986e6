/** Delimiters around words: bold, italics and the like. */

import {
  applyEdits,
  lineStart,
  paragraphsAt,
  trimSelection,
  type TextSelection,
  type Edit,
  type Range,
} from './textEdit';
import { PREFIX } from './lines';

export type Delimiter = '**' | '*' | '~~' | '`' | '||';

/** From the first character of the opening delimiter to the last of the closing one. */
interface Span {
  readonly from: number;
  readonly inFrom: number;
  readonly inTo: number;
  readonly to: number;
}

/** Whether a run of that many characters includes the delimiter: `***` is both bold and italics. */
const CONTAINS: Record<Delimiter, (length: number) => boolean> = {
  '**': (length) => length >= 2,
  '*': (length) => length % 2 === 1,
  '~~': (length) => length === 2,
  '`': (length) => length === 1,
  '||': (length) => length >= 2,
};

const CODE = /(?<!`)(`+)(?!`)([^]*?)(?<!`)\1(?!`)/g;
const ESCAPED_OR_CODE = new RegExp(`\\\\[!-/:-@[-\`{-~]|${CODE.source}`, 'g');

export function toggleDelimiter(delimiter: Delimiter, draft: TextSelection): TextSelection {
  const chosen = trimSelection(draft);
  if (chosen.start === chosen.end) return toggleAtCaret(delimiter, { ...draft, start: draft.end });
  const ranges = rangesOf(chosen);
  const spans = spansAt(delimiter, chosen);
  const around = ranges.map((range) => spanAround(spans, range));
  const edits = around.every((span) => span !== null)
    ? // Two ranges may be in the same span.
      [...new Set(around)].flatMap(removing)
    : ranges.flatMap((range, at) => (around[at] ? [] : adding(delimiter, draft.text, range, spans)));
  return applyEdits(chosen, edits);
}

export function isDelimited(delimiter: Delimiter, draft: TextSelection): boolean {
  const chosen = trimSelection(draft);
  const { text, end } = draft;
  if (chosen.start === chosen.end) {
    return isEmptyPair(delimiter, text, end) || spanAtCaret(delimiter, text, end) !== null;
  }
  const ranges = rangesOf(chosen);
  const spans = spansAt(delimiter, chosen);
  return ranges.length > 0 && ranges.every((range) => spanAround(spans, range) !== null);
}

function toggleAtCaret(delimiter: Delimiter, draft: TextSelection): TextSelection {
  const { text, end: caret } = draft;
  const { length } = delimiter;
  if (isEmptyPair(delimiter, text, caret)) {
    return applyEdits(draft, [{ from: caret - length, to: caret + length, by: '' }]);
  }
  const span = spanAtCaret(delimiter, text, caret);
  // At the end of a span, the caret moves out of it.
  if (span?.inTo === caret) return { text, start: span.to, end: span.to };
  if (span) return applyEdits(draft, removing(span));
  const before = /[\p{L}\p{N}_]*$/u.exec(text.slice(0, caret))?.[0].length ?? 0;
  const behind = /^[\p{L}\p{N}_]*/u.exec(text.slice(caret))?.[0].length ?? 0;
  if (before && behind) {
    return applyEdits(draft, adding(delimiter, text, { from: caret - before, to: caret + behind }, []));
  }
  const place = caret + length;
  return { text: text.slice(0, caret) + delimiter + delimiter + text.slice(caret), start: place, end: place };
}

/** `**|**`, with nothing in between. */
function isEmptyPair(delimiter: Delimiter, text: string, caret: number): boolean {
  const sign = delimiter.charAt(0);
  let before = 0;
  while (text[caret - 1 - before] === sign) before += 1;
  let behind = 0;
  while (text[caret + behind] === sign) behind += 1;
  return before === behind && CONTAINS[delimiter](before);
}

const spanAtCaret = (delimiter: Delimiter, text: string, caret: number): Span | null =>
  spansAt(delimiter, { text, start: caret, end: caret }).find(
    ({ from, to }) => from < caret && caret < to,
  ) ?? null;

const spanAround = (spans: readonly Span[], range: Range): Span | null =>
  spans.find(({ from, to }) => from <= range.from && range.to <= to) ?? null;

const removing = (span: Span | null): Edit[] =>
  span
    ? [
        { from: span.from, to: span.inFrom, by: '' },
        { from: span.inTo, to: span.to, by: '' },
      ]
    : [];

function adding(delimiter: Delimiter, text: string, { from, to }: Range, spans: readonly Span[]): Edit[] {
  if (delimiter === '`') return addingCode(text.slice(from, to), from, to);
  // The same delimiter inside would end this one.
  const within = spans.filter((span) => from <= span.from && span.to <= to);
  return [{ from, to: from, by: delimiter }, ...within.flatMap(removing), { from: to, to, by: delimiter }];
}

/** With more backticks in a row than the code contains. */
function addingCode(code: string, from: number, to: number): Edit[] {
  const longest = Math.max(0, ...(code.match(/`+/g) ?? []).map(({ length }) => length));
  const fence = '`'.repeat(longest + 1);
  const space = /^`|`$/.test(code) ? ' ' : '';
  return [
    { from, to: from, by: fence + space },
    { from: to, to, by: space + fence },
  ];
}

/**
 * The parts of the selection that one pair of delimiters can enclose: none crosses paragraphs or list
 * items.
 */
function rangesOf({ text, start, end }: TextSelection): Range[] {
  const ranges: Range[] = [];
  let goesOn = false;
  let place = lineStart(text, start);
  for (const line of text.slice(place, end).split('\n')) {
    const prefix = PREFIX.exec(line)?.[0].length ?? 0;
    const from = Math.max(start, place + prefix);
    const words = text.slice(from, place + line.length);
    const to = from + words.trimEnd().length;
    const last = ranges.at(-1);
    if (goesOn && prefix === 0 && to > from && last) ranges.splice(-1, 1, { from: last.from, to });
    else if (to > from) ranges.push({ from: from + words.length - words.trimStart().length, to });
    goesOn = line.trim() !== '';
    place += line.length + 1;
  }
  return ranges;
}

function spansAt(delimiter: Delimiter, draft: TextSelection): Span[] {
  return paragraphsAt(draft).flatMap(({ from, to }) => {
    const paragraph = draft.text.slice(from, to);
    const spans = delimiter === '`' ? codeSpans(paragraph) : spansOf(delimiter, paragraph);
    return spans.map((span) => ({
      from: span.from + from,
      inFrom: span.inFrom + from,
      inTo: span.inTo + from,
      to: span.to + from,
    }));
  });
}

function codeSpans(text: string): Span[] {
  return [...text.matchAll(CODE)].map(({ 0: whole, 1: fence = '', 2: code = '', index }) => {
    const padding = /^ .*` $|^ `.* $/s.test(code) ? 1 : 0;
    return {
      from: index,
      inFrom: index + fence.length + padding,
      inTo: index + whole.length - fence.length - padding,
      to: index + whole.length,
    };
  });
}

function spansOf(delimiter: Delimiter, text: string): Span[] {
  const { length } = delimiter;
  const bare = text.replace(ESCAPED_OR_CODE, (found) => 'x'.repeat(found.length));
  const spans: Span[] = [];
  let opened: number | null = null;
  for (const { 0: run, index } of bare.matchAll(new RegExp(`[${delimiter.charAt(0)}]+`, 'g'))) {
    if (!CONTAINS[delimiter](run.length)) continue;
    if (opened !== null && /\S/.test(bare[index - 1] ?? ' ')) {
      spans.push({ from: opened - length, inFrom: opened, inTo: index, to: index + length });
      opened = null;
    } else if (/\S/.test(bare[index + run.length] ?? ' ')) {
      opened = index + run.length;
    }
  }
  return spans;
}
