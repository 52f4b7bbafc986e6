/** Formatting: maps a text with a selection to another. A format that is already on is removed. */

import type { TextSelection } from './textEdit';
import { fenceAround, toggleBlock } from './fences';
import type { Format } from './formats';
import { areLines, toggleLines, type LineKind } from './lines';
import { isLink, toggleLink } from './link';
import { isDelimited, toggleDelimiter, type Delimiter } from './delimiters';

interface FormatRule {
  readonly toggle: (draft: TextSelection) => TextSelection;
  readonly isOn: (draft: TextSelection) => boolean;
}

const delimited = (delimiter: Delimiter): FormatRule => ({
  toggle: (draft) => toggleDelimiter(delimiter, draft),
  isOn: (draft) => isDelimited(delimiter, draft),
});

const inLines = (kind: LineKind): FormatRule => ({
  toggle: (draft) => toggleLines(kind, draft),
  isOn: (draft) => areLines(kind, draft),
});

const block: FormatRule = { toggle: toggleBlock, isOn: (draft) => fenceAround(draft) !== null };
const code = delimited('`');

const RULES: Record<Format, FormatRule> = {
  bold: delimited('**'),
  italic: delimited('*'),
  strike: delimited('~~'),
  // Several lines of code become a block.
  code: { ...code, toggle: (draft) => (isOneLine(draft) ? code : block).toggle(draft) },
  block,
  link: { toggle: toggleLink, isOn: isLink },
  quote: inLines('quote'),
  bullets: inLines('bullets'),
  numbers: inLines('numbers'),
  tasks: inLines('tasks'),
  spoiler: delimited('||'),
};

const isOneLine = ({ text, start, end }: TextSelection): boolean =>
  !text.slice(start, end).trim().includes('\n');

export const toggle = (format: Format, draft: TextSelection): TextSelection => RULES[format].toggle(draft);

export const isOn = (format: Format, draft: TextSelection): boolean => RULES[format].isOn(draft);
