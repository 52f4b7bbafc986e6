/**
 * Text without markup, which is most of what people say: it is shown without the Markdown parser,
 * which comes later and in a file of its own. Addresses, @people and #rooms are found here for both.
 */

import type { Inline, Paragraph } from './tree';

const URL_CHARS = '[^\\s<>"`\\\\]+';

// Web addresses, mail addresses, handles by the server's rule (`hubbub/model/messages.py`), rooms.
const FINDS = new RegExp(
  [
    `(https?://${URL_CHARS}|(?<![^\\s*_~(])www\\.${URL_CHARS})`,
    // The length is that of RFC 5321; without a bound the search would be quadratic.
    '(?<![\\w.+-])([\\w.+-]{1,64}@[a-z\\d-]+(?:\\.[a-z\\d-]+)+)',
    '(?<![\\p{L}\\p{N}_@/.])@([\\p{L}\\p{N}](?:[\\p{L}\\p{N}_.-]{0,30}[\\p{L}\\p{N}])?)',
    '(?<![\\p{L}\\p{N}_#&/])#([a-z\\d][a-z\\d-]{0,31})(?![\\p{L}\\p{N}_-])',
  ].join('|'),
  'giu',
);
const AT_START = new RegExp(`^https?://${URL_CHARS}`, 'i');
// A word that begins with a web address.
const WORD = new RegExp(`(?<=(?:^|\\s)[("'“„]{0,3})https?://${URL_CHARS}`, 'gi');

/** Parts of a text that has no markup. */
export function pieces(text: string): Inline[] {
  const found: Inline[] = [];
  let done = 0;
  for (const { 0: whole, 1: url, 2: mail, 3: name, 4: room, index } of text.matchAll(FINDS)) {
    let typed = whole;
    let piece: Inline | null = null;
    if (url) {
      typed = withoutEnd(url);
      piece = linkTo(/^www/i.test(typed) ? `http://${typed}` : typed, typed);
    } else if (mail) piece = linkTo(`mailto:${mail}`, mail);
    else if (name) piece = { is: 'mention', name: handleOf(name), typed };
    else if (room) piece = { is: 'room', room: room.toLowerCase(), typed };
    if (!piece) continue;
    if (index > done) found.push({ is: 'text', text: text.slice(done, index) });
    found.push(piece);
    done = index + typed.length;
  }
  if (done < text.length) found.push({ is: 'text', text: text.slice(done) });
  return found;
}

/** The web address that a text begins with, as it was typed. */
export function addressAt(text: string): string | null {
  const match = AT_START.exec(text);
  const typed = match ? withoutEnd(match[0]) : '';
  return URL.canParse(typed) ? typed : null;
}

function linkTo(href: string, typed: string): Inline | null {
  return URL.canParse(href) ? { is: 'link', href, children: [{ is: 'text', text: typed }] } : null;
}

/** Without the punctuation of the sentence, as GitHub does it; `(…)` stays if it is a pair. */
function withoutEnd(url: string): string {
  let unpaired = url.split(')').length - url.split('(').length;
  let end = url.length;
  for (; end > 0; end -= 1) {
    const last = url.charAt(end - 1);
    if (last === ')' && unpaired > 0) unpaired -= 1;
    else if (!'?!.,:;*_~\''.includes(last)) break;
  }
  return url.slice(0, end);
}

/** The server's form of a handle: NFKC and casefold, of which this is all that names make use of. */
function handleOf(typed: string): string {
  const folded = typed.normalize('NFKC').toUpperCase().toLowerCase().replaceAll('ς', 'σ');
  return folded.normalize('NFKC');
}

/** What both ways of reading begin with. */
export const tidy = (text: string): string => text.replace(/^\s*\n/, '').trimEnd();

// Where lines begin: blocks, or white space that may mean something. Then where they end.
const BLOCK =
  /^(?:[^\S\n]|#{1,6}(?:\s|$)|[>|]|:-|[-+](?:[\s:|-]|$)|\d{1,9}[.)](?:\s|$))|[^\S\n]$/m;
// And any other address: which of two that meet in a word wins depends on how one reads.
const MARKS = /[\\`*~[]|<[^\s<>]*>|(?<![a-z\d])_|_(?![a-z\d])|https?:\/\//i;

/** Whether it surely means the same to `plain` and to the parser. In doubt, no. */
export function isPlain(text: string): boolean {
  // Nothing in an address is markup; what only looks like one is for the parser to read.
  const rest = text.replace(WORD, (url) => {
    const typed = withoutEnd(url);
    return URL.canParse(typed) ? `x${url.slice(typed.length)}` : url;
  });
  return !MARKS.test(rest) && !BLOCK.test(rest);
}

/** The text as it stands. */
export function plain(text: string): Paragraph[] {
  return tidy(text)
    .split(/\n\s*\n/)
    .map((paragraph) => ({ is: 'paragraph', inlines: pieces(paragraph) }));
}

const PICTURE = '(?:\\p{Emoji_Presentation}|\\p{Emoji}\\uFE0F|\\p{Emoji_Modifier_Base})';
const EMOJI = `(?:\\p{RI}\\p{RI}|[\\d#*]\\uFE0F?\\u20E3|${PICTURE}[\\p{EMod}\\u{E0020}-\\u{E007F}]*(?:\\u200D\\p{Emoji}[\\p{EMod}\\uFE0F]*)*)`;
const ONLY_EMOJI = new RegExp(`^(?:${EMOJI}\\s*){1,6}$`, 'u');

/** One to six emoji and nothing else are shown large. */
export const isOnlyEmoji = (text: string): boolean => text.length <= 120 && ONLY_EMOJI.test(text);
