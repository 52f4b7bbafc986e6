/**
 * Text without markup, which most messages are. It is shown without the Markdown parser, which is
 * loaded later. Addresses, @people and #rooms are found here for both.
 */

import type { Piece } from './tree';

// Web addresses, mail addresses, handles by the server's rule (`hubbub/model/messages.py`), rooms.
const FINDS = new RegExp(
  [
    /((?:https?:\/\/|(?<![^\s*_~(|])www\.)(?:(?!\|\|)[^\s<>"`\\])+)/,
    // The length limit is that of RFC 5321; without it the search would be quadratic.
    /(?<![\w.+-])([\w.+-]{1,64}@[a-z\d-]+(?:\.[a-z\d-]+)+)/,
    /(?<![\p{L}\p{N}_@/.])@([\p{L}\p{N}](?:[\p{L}\p{N}_.-]{0,30}[\p{L}\p{N}])?)/u,
    /(?<![\p{L}\p{N}_#&/])#([a-z\d][a-z\d-]{0,31})(?![\p{L}\p{N}_-])/u,
  ]
    .map(({ source }) => source)
    .join('|'),
  'giu',
);

/** The part of a message that is shown at once; the rest is folded. */
export const CHARACTERS = 3_000;
export const LINES = 40;

/** Splits a text without markup into pieces. */
export function pieces(all: string): Piece[] {
  const found: Piece[] = [];
  let done = 0;
  for (const { 0: whole, 1: url, 2: mail, 3: name, 4: room, index } of all.matchAll(FINDS)) {
    const text = url ? withoutEnd(url) : whole;
    let piece: Piece;
    if (name) piece = { is: 'mention', text, name: handleOf(name) };
    else if (room) piece = { is: 'room', text, room: room.toLowerCase() };
    else {
      const href = (mail ? 'mailto:' : /^w/i.test(text) ? 'http://' : '') + text;
      if (!URL.canParse(href)) continue;
      piece = { is: 'address', text, href };
    }
    if (index > done) found.push({ is: 'text', text: all.slice(done, index) });
    found.push(piece);
    done = index + text.length;
  }
  if (done < all.length) found.push({ is: 'text', text: all.slice(done) });
  return found;
}

/** Keys for looking up who is mentioned: a handle with `@`, a room with `#`. */
export type Keys = ReadonlySet<string>;

export function keyOf(piece: Piece): string | undefined {
  if (piece.is === 'mention') return `@${piece.name}`;
  return piece.is === 'room' ? `#${piece.room}` : undefined;
}

export const keysIn = (all: readonly Piece[]): Keys =>
  new Set(all.flatMap((piece) => keyOf(piece) ?? []));

/** Without the punctuation at the end, as GitHub does it; a balanced `(…)` stays. */
export function withoutEnd(url: string): string {
  let unpaired = url.split(')').length - url.split('(').length;
  let end = url.length;
  for (; end > 0; end -= 1) {
    const last = url.charAt(end - 1);
    if (last === ')' && unpaired > 0) unpaired -= 1;
    else if (!'?!.,:;*_~\'…’“”»'.includes(last)) break;
  }
  return url.slice(0, end);
}

/** The server's form of a handle (NFKC and casefold), as far as handles need it. */
const handleOf = (typed: string): string =>
  typed.normalize('NFKC').toUpperCase().toLowerCase().replaceAll('ς', 'σ');

/** Both parsers start with this. */
export const trimText = (text: string): string => text.replace(/^\s*\n/, '').trimEnd();

// Starts of lines that begin blocks or may be significant white space; then ends of lines.
const BLOCK =
  /^(?:[^\S\n]|#{1,6}(?:\s|$)|[>|]|:-|[-+](?:[\s:|-]|$)|\d{1,9}[.)](?:\s|$))|[^\S\n]$/m;
// Also an address inside another match: only the parser can decide between two that overlap.
const MARKS = /[\\`*~[]|\|\||<[^\s<>]*>|(?<![a-z\d])_|_(?![a-z\d])|https?:\/\//i;

/** Whether it surely means the same to `plain` and to the parser. In doubt, no. */
export function isPlain(text: string): boolean {
  // Nothing in a web address is markup.
  const rest = pieces(text)
    .map((piece) => (piece.is === 'address' && piece.href === piece.text ? 'x' : piece.text))
    .join('');
  return !MARKS.test(rest) && !BLOCK.test(rest);
}

/**
 * Where a text is not shown as what it means: `||…||` is covered there, and for good. A little code
 * may have such signs.
 */
export const hideSpoilers = (text: string, by = '▒▒▒'): string =>
  text.replace(/(?<![\\`])`[^`\n]+`(?!`)|\|\|[^]+?\|\|/g, (found) => (found[0] === '`' ? found : by));

/** The beginning of a text, for places with little room; spoilers stay hidden. */
export const excerpt = (text: string, length: number, by?: string): string =>
  hideSpoilers(text, by).trimStart().slice(0, length).replace(/[\ud800-\udbff]$/, '');

/** The text as it is, in paragraphs. */
export const plain = (text: string): Piece[][] => trimText(text).split(/\n\s*\n/).map(pieces);

const ONLY_EMOJI = new RegExp('^(?:\\p{RGI_Emoji}\\s*){1,6}$', 'v');

/** Messages of one to six emoji are shown large. */
export const isOnlyEmoji = (text: string): boolean => text.length <= 120 && ONLY_EMOJI.test(text);

// With more people, rooms and addresses, the text is handled like a long one.
const PIECES_MAX = 100;

/** A short text without markup, ready to show; null for any other text. */
export function readPlain(text: string) {
  if (text.length > CHARACTERS || text.split('\n').length > LINES) return null;
  const tidied = trimText(text);
  const isEmoji = isOnlyEmoji(tidied);
  if (!isEmoji && !isPlain(tidied)) return null;
  const paragraphs = plain(tidied);
  const all = paragraphs.flat();
  return all.length > PIECES_MAX
    ? null
    : { paragraphs, isOnlyEmoji: isEmoji, keys: keysIn(all), cost: all.length };
}

/** An estimate of the lines it takes, so that the browser can skip laying it out. */
export const linesOf = (text: string): number =>
  Math.min(LINES, Math.max(text.split('\n').length, Math.ceil(text.length / 75)));
