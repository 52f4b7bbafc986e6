/** Formatting: a text with its selection in, the same out. What is on already is taken away. */

import type { Draft } from './textEdit';
import { fenceAround, toggleBlock } from './fences';
import type { Format } from './formats';
import { areLines, toggleLines, type LineKind } from './lines';
import { isLink, toggleLink } from './link';
import { isMarked, toggleMark, type Mark } from './delimiters';

interface Way {
  readonly toggle: (draft: Draft) => Draft;
  readonly isOn: (draft: Draft) => boolean;
}

const marked = (mark: Mark): Way => ({
  toggle: (draft) => toggleMark(mark, draft),
  isOn: (draft) => isMarked(mark, draft),
});

const inLines = (kind: LineKind): Way => ({
  toggle: (draft) => toggleLines(kind, draft),
  isOn: (draft) => areLines(kind, draft),
});

const block: Way = { toggle: toggleBlock, isOn: (draft) => fenceAround(draft) !== null };
const code = marked('`');

const WAYS: Record<Format, Way> = {
  bold: marked('**'),
  italic: marked('*'),
  strike: marked('~~'),
  // Several lines of code are a block.
  code: { ...code, toggle: (draft) => (isOneLine(draft) ? code : block).toggle(draft) },
  block,
  link: { toggle: toggleLink, isOn: isLink },
  quote: inLines('quote'),
  bullets: inLines('bullets'),
  numbers: inLines('numbers'),
  tasks: inLines('tasks'),
  spoiler: marked('||'),
};

const isOneLine = ({ text, start, end }: Draft): boolean =>
  !text.slice(start, end).trim().includes('\n');

export const toggle = (format: Format, draft: Draft): Draft => WAYS[format].toggle(draft);

export const isOn = (format: Format, draft: Draft): boolean => WAYS[format].isOn(draft);
