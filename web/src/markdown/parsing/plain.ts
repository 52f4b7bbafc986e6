/**
 * Text without markup, which is most of what people say: it is shown without the Markdown parser,
 * which comes later and in a file of its own. Addresses, @people and #rooms are found here for both.
 */

import type { Piece } from './tree';

// Web addresses, mail addresses, handles by the server's rule (`hubbub/model/messages.py`), rooms.
const FINDS = new RegExp(
  [
    /((?:https?:\/\/|(?<![^\s*_~(|])www\.)(?:(?!\|\|)[^\s<>"`\\])+)/,
    // The length is that of RFC 5321; without a bound the search would be quadratic.
    /(?<![\w.+-])([\w.+-]{1,64}@[a-z\d-]+(?:\.[a-z\d-]+)+)/,
    /(?<![\p{L}\p{N}_@/.])@([\p{L}\p{N}](?:[\p{L}\p{N}_.-]{0,30}[\p{L}\p{N}])?)/u,
    /(?<![\p{L}\p{N}_#&/])#([a-z\d][a-z\d-]{0,31})(?![\p{L}\p{N}_-])/u,
  ]
    .map(({ source }) => source)
    .join('|'),
  'giu',
);

/** As much of a message is shown at once; the rest is folded away. */
export const CHARACTERS = 3_000;
export const LINES = 40;

/** The parts of a text that has no markup. */
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

/** By which those whom a text names are looked up: a handle with its `@`, a room with its `#`. */
export type Keys = ReadonlySet<string>;

export function keyOf(piece: Piece): string | undefined {
  if (piece.is === 'mention') return `@${piece.name}`;
  return piece.is === 'room' ? `#${piece.room}` : undefined;
}

export const keysIn = (all: readonly Piece[]): Keys =>
  new Set(all.flatMap((piece) => keyOf(piece) ?? []));

/** Without the punctuation of the sentence, as GitHub does it; `(…)` stays if it is a pair. */
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

/** The server's form of a handle, NFKC and casefold, as far as names need it. */
const handleOf = (typed: string): string =>
  typed.normalize('NFKC').toUpperCase().toLowerCase().replaceAll('ς', 'σ');

/** What both ways of reading begin with. */
export const trimText = (text: string): string => text.replace(/^\s*\n/, '').trimEnd();

// Where lines begin: blocks, or white space that may mean something. Then where they end.
const BLOCK =
  /^(?:[^\S\n]|#{1,6}(?:\s|$)|[>|]|:-|[-+](?:[\s:|-]|$)|\d{1,9}[.)](?:\s|$))|[^\S\n]$/m;
// And an address within another find: which of two that meet in a word wins is for the parser to say.
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

/** How a text begins, where there is no room for more of it; what is covered stays so. */
export const excerpt = (text: string, length: number, by?: string): string =>
  hideSpoilers(text, by).trimStart().slice(0, length).replace(/[\ud800-\udbff]$/, '');

/** The text as it stands, in paragraphs. */
export const plain = (text: string): Piece[][] => trimText(text).split(/\n\s*\n/).map(pieces);

const ONLY_EMOJI = new RegExp('^(?:\\p{RGI_Emoji}\\s*){1,6}$', 'v');

/** One to six emoji and nothing else are shown large. */
export const isOnlyEmoji = (text: string): boolean => text.length <= 120 && ONLY_EMOJI.test(text);

// Whatever has more people, rooms and addresses in it is read with the rest that takes long.
const PIECES_MAX = 100;

/** A text that is neither long nor has markup, as it is shown; null: it is not such a text. */
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

/** About how many lines it takes, so that the page knows what it need not lay out yet. */
export const linesOf = (text: string): number =>
  Math.min(LINES, Math.max(text.split('\n').length, Math.ceil(text.length / 75)));
