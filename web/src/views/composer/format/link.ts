/** Links: `[label](address)`. */

import { applyEdits, paragraphsAt, trimSelection, type TextSelection, type Range } from './textEdit';

// Without a limit on the label, escaped brackets would make the search quadratic.
const LINK = /\[((?:\\.|[^[\]\\]){0,300})\]\((<[^<>\n]*>|(?:[^()\s]|\([^()\s]*\))*)\)/g;
const ADDRESS = /^(?:https?:\/\/|mailto:)\S{1,2000}$/i;

export const isAddress = (text: string): boolean => ADDRESS.test(text) && URL.canParse(text);

/** The selection becomes the label, and the caret moves to what is still missing. */
export function toggleLink(draft: TextSelection): TextSelection {
  const { text, start, end } = draft;
  const link = linkAround(draft);
  if (link) {
    const { from, words, to } = link;
    return applyEdits(draft, [
      { from, to: words.from, by: '' },
      { from: words.to, to, by: '' },
    ]);
  }
  const chosen = text.slice(start, end).trim();
  if (isAddress(chosen)) return put(draft, '', chosen, 1);
  // The label comes first if there is none, otherwise the address.
  return put(draft, chosen, '', chosen ? escapeLabel(chosen).length + 3 : 1);
}

export const isLink = (draft: TextSelection): boolean => linkAround(draft) !== null;

/** Links the selection to the address. */
export function withLink(draft: TextSelection, address: string): TextSelection {
  const label = draft.text.slice(draft.start, draft.end).trim();
  return put(draft, label, address, escapeLabel(label).length + 4 + targetOf(address).length);
}

function put(draft: TextSelection, label: string, address: string, caret: number): TextSelection {
  const { text, start, end } = trimSelection(draft);
  const link = `[${escapeLabel(label)}](${targetOf(address)})`;
  const place = start + caret;
  return { text: text.slice(0, start) + link + text.slice(end), start: place, end: place };
}

const escapeLabel = (text: string): string => text.replace(/(?<!\\)[[\]]/g, '\\$&');

/** Unbalanced parentheses would end the link too early. */
function targetOf(address: string): string {
  const rest = address.replace(/\([^()]*\)/g, '');
  return /[()]/.test(rest) ? `<${address}>` : address;
}

interface Found extends Range {
  /** The text that stays without the link: its label, or the address if it has none. */
  readonly words: Range;
}

function linkAround(draft: TextSelection): Found | null {
  const isCaret = draft.start === draft.end;
  for (const paragraph of paragraphsAt(draft)) {
    const near = draft.text.slice(paragraph.from, paragraph.to);
    for (const { 0: whole, 1: label = '', 2: address = '', index } of near.matchAll(LINK)) {
      const from = paragraph.from + index;
      const to = from + whole.length;
      // At the edge the caret is outside.
      const edge = isCaret ? 1 : 0;
      if (from + edge <= draft.start && draft.end <= to - edge) {
        return { from, words: wordsOf(from, label, address), to };
      }
    }
  }
  return null;
}

function wordsOf(from: number, label: string, address: string): Range {
  const linkText = label.trim() ? label : address;
  const start = from + (linkText === label ? '[' : `[${label}](`).length;
  return { from: start, to: start + linkText.length };
}
