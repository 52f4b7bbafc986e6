/** Fenced blocks of code. */

import { applyEdits, lineStart, type TextSelection, type Edit } from './textEdit';

/** The two lines around a block, each with its line break. */
interface Fence {
  readonly opening: Edit;
  readonly closing: Edit;
}

const FENCE = /^ {0,3}(`{3,}|~{3,})(.*)$/;

/** The block in which the selection lies; an open one reaches to the end of the text. */
export function fenceAround({ text, start, end }: TextSelection): Fence | null {
  let opening: (Edit & { sign: string }) | null = null;
  let from = 0;
  for (const line of text.split('\n')) {
    const to = from + line.length;
    const [, sign = '', info = ''] = FENCE.exec(line) ?? [];
    if (!opening && sign) {
      if (to >= start) return null;
      // One word is the language; more than that somebody has written to be read.
      const by = /\S\s+\S/.test(info) ? `${info.trim()}\n` : '';
      opening = { from, to: Math.min(to + 1, text.length), by, sign };
    } else if (opening && sign.startsWith(opening.sign) && info.trim() === '') {
      if (from > end) {
        return { opening, closing: { from: Math.max(from - 1, opening.to), to, by: '' } };
      }
      opening = null;
    }
    from = to + 1;
  }
  const ending = text.length;
  return opening ? { opening, closing: { from: ending, to: ending, by: '' } } : null;
}

export function toggleBlock(draft: TextSelection): TextSelection {
  const fence = fenceAround(draft);
  if (fence) return applyEdits(draft, [fence.opening, fence.closing]);
  return withFences(draft.start === draft.end ? wholeLine(draft) : draft);
}

/** With fences around what is selected, on lines of their own. */
export function withFences({ text, start, end }: TextSelection, language = ''): TextSelection {
  const code = text.slice(start, end).replace(/\n$/, '');
  const longest = Math.max(2, ...(code.match(/`{3,}/g) ?? []).map(({ length }) => length));
  const fence = '`'.repeat(longest + 1);
  const before = text.slice(0, start).replace(/(?<=[^\n])$/, '\n');
  const behind = text.slice(end).replace(/^(?=[^\n])/, '\n');
  const opening = `${before}${fence}${language}\n`;
  return {
    text: `${opening}${code}\n${fence}${behind}`,
    start: opening.length,
    end: opening.length + code.length,
  };
}

function wholeLine({ text, start }: TextSelection): TextSelection {
  const end = text.indexOf('\n', start);
  return { text, start: lineStart(text, start), end: end < 0 ? text.length : end };
}
