/** Prefixes of lines: quotes and lists. */

import { applyEdits, lineStart, type TextSelection, type Edit } from './textEdit';
import { fenceAround } from './fences';

export type LineKind = 'quote' | 'bullets' | 'numbers' | 'tasks';

/** Any prefix that may precede the words of a line. */
export const PREFIX =
  /^[^\S\n]*(?:(?:(?:[-*+]|\d{1,9}[.)])[^\S\n]+(?:\[[ xX]\][^\S\n]+)?|>[^\S\n]?|#{1,6}[^\S\n]+)[^\S\n]*)+/;

// The indentation, including a quote around the list; the marker of the item; its checkbox.
const ITEM = /^((?:[^\S\n]|>)*)(?:[-*+]|(\d{1,9})([.)]))[^\S\n]+(\[[ xX]\](?:[^\S\n]+|$))?/;
const INDENT = /^(?:[^\S\n]|>)*/;
const QUOTED = /^[^\S\n]*>[^\S\n]?/;

interface Line {
  readonly from: number;
  readonly text: string;
}

export function toggleLines(kind: LineKind, draft: TextSelection): TextSelection {
  const lines = linesOf(draft);
  const wanted = nonEmptyLines(lines);
  const isOn = wanted.every(({ text }) => hasPrefix(kind, text));
  if (isOn) return applyEdits(draft, lines.flatMap((line) => removePrefix(kind, line)));
  const marked = kind === 'quote' ? lines : wanted;
  const edits = marked.map((line, at) => addPrefix(kind, line, at + 1));
  return applyEdits(draft, [...edits, ...separateNext(kind, draft.text, lines.at(-1))]);
}

export const areLines = (kind: LineKind, draft: TextSelection): boolean =>
  nonEmptyLines(linesOf(draft)).every(({ text }) => hasPrefix(kind, text));

/**
 * A line break at the caret continues the list; in an empty item it ends the list. Null: not in a list.
 */
export function continueList(draft: TextSelection): TextSelection | null {
  const { text, start, end } = draft;
  const from = lineStart(text, start);
  const [line = ''] = text.slice(from).split('\n', 1);
  const [prefix, indent = '', number, dot = '', box] = ITEM.exec(line) ?? [];
  if (prefix === undefined || start < from + prefix.length || fenceAround(draft)) return null;
  if (start === end && prefix.length === line.length) {
    return applyEdits(draft, [{ from: from + indent.length, to: start, by: '' }]);
  }
  const mark = number ? `${Number(number) + 1}${dot}` : line.charAt(indent.length);
  return applyEdits({ text, start: end, end }, [
    { from: start, to: end, by: `\n${indent}${mark} ${box ? '[ ] ' : ''}` },
  ]);
}

/** The lines that the selection touches, except one at whose beginning it ends. */
function linesOf({ text, start, end }: TextSelection): Line[] {
  let from = lineStart(text, start);
  const last = end > start && text[end - 1] === '\n' ? end - 1 : end;
  const until = text.indexOf('\n', last);
  return text
    .slice(from, until < 0 ? text.length : until)
    .split('\n')
    .map((line) => {
      const place = from;
      from += line.length + 1;
      return { from: place, text: line };
    });
}

/** Empty lines between others need no prefix. */
function nonEmptyLines(lines: Line[]): Line[] {
  const written = lines.filter(({ text }) => text.trim() !== '');
  return written.length > 0 ? written : lines.slice(0, 1);
}

function hasPrefix(kind: LineKind, line: string): boolean {
  if (kind === 'quote') return QUOTED.test(line);
  const item = ITEM.exec(line);
  if (!item) return false;
  const [, , number, , box] = item;
  return kind === (box ? 'tasks' : number ? 'numbers' : 'bullets');
}

function removePrefix(kind: LineKind, { from, text }: Line): Edit[] {
  if (kind === 'quote') {
    const length = QUOTED.exec(text)?.[0].length ?? 0;
    return length > 0 ? [{ from, to: from + length, by: '' }] : [];
  }
  const [prefix = '', indent = ''] = ITEM.exec(text) ?? [];
  return prefix ? [{ from: from + indent.length, to: from + prefix.length, by: '' }] : [];
}

function addPrefix(kind: LineKind, { from, text }: Line, count: number): Edit {
  if (kind === 'quote') return { from, to: from, by: '> ' };
  const indent = INDENT.exec(text)?.[0].length ?? 0;
  const length = ITEM.exec(text)?.[0].length ?? indent;
  const mark = { bullets: '- ', numbers: `${count}. `, tasks: '- [ ] ' }[kind];
  return { from: from + indent, to: from + length, by: mark };
}

/** Without an empty line, the next line would belong to the quote or the last item. */
function separateNext(kind: LineKind, text: string, last: Line | undefined): Edit[] {
  const next = last ? last.from + last.text.length + 1 : text.length;
  const [line = ''] = text.slice(next).split('\n', 1);
  const belongs = kind === 'quote' ? QUOTED : ITEM;
  return line.trim() === '' || belongs.test(line) ? [] : [{ from: next, to: next, by: '\n' }];
}
