/** Where the addresses in a line of text are: topics are plain text but for these. */

export interface Piece {
  text: string;
  /** Where it leads; null: plain text. */
  href: string | null;
}

const ADDRESS = /\bhttps?:\/\/[^\s<>"]+/giu;

/** Punctuation at its end belongs to the sentence, and so does a bracket that opened before it. */
function withoutTail(address: string): string {
  let end = address;
  for (;;) {
    const last = end.at(-1) ?? '';
    const isUnopened = last === ')' && !end.includes('(');
    if (!isUnopened && !/[.,:;!?'’”…\]]/u.test(last)) return end;
    end = end.slice(0, -1);
  }
}

export function piecesOf(text: string): Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  const upTo = (end: number) => {
    if (end > from) pieces.push({ text: text.slice(from, end), href: null });
  };
  for (const match of text.matchAll(ADDRESS)) {
    const address = withoutTail(match[0]);
    if (!URL.canParse(address)) continue;
    upTo(match.index);
    pieces.push({ text: address, href: address });
    from = match.index + address.length;
  }
  upTo(text.length);
  return pieces;
}
