/**
 * Markdown by marked's lexer: its tokens become our tree. What we do not show as markup (HTML,
 * images, definitions) is shown as it was typed, so nothing that was said is hidden.
 */

import { Lexer, Tokenizer, type MarkedToken, type Token, type Tokens } from 'marked';
import { pieces, plain, tidy, withoutEnd } from './plain';
import type { Block, Inline, Item, Piece } from './tree';

// Nested deeper, marks are text: the lexer's time and stack grow with the depth, and so does the
// indent, for which a phone has no room.
const DEPTH_MAX = 8;
const KEPT_MAX = 500;
// As `pieces` finds it; here before marks within it are taken for markup.
const ADDRESS = /^https?:\/\/(?:(?!\|\|)[^\s<>"`\\])+/i;
// A table has as many cells in every row as in its head: a short text could ask for millions.
const CELLS_MAX = 2_000;
const SPOILER = '||';

class Ours extends Tokenizer {
  #depth = 0;

  #deeper<T>(read: () => T | undefined): T | undefined {
    if (this.#depth >= DEPTH_MAX) return undefined;
    this.#depth += 1;
    try {
      return read();
    } finally {
      this.#depth -= 1;
    }
  }

  override blockquote(src: string) {
    return this.#deeper(() => super.blockquote(src));
  }
  override list(src: string) {
    return this.#deeper(() => super.list(src));
  }
  override link(src: string) {
    return this.#deeper(() => super.link(src));
  }
  override emStrong(src: string, masked: string, before?: string) {
    return this.#deeper(() => super.emStrong(src, masked, before));
  }
  override del(src: string, masked: string, before?: string) {
    return this.#deeper(() => super.del(src, masked, before));
  }

  override url(src: string): Tokens.Link | undefined {
    const typed = withoutEnd(ADDRESS.exec(src)?.[0] ?? '');
    if (!URL.canParse(typed)) return undefined;
    return { type: 'link', raw: typed, text: typed, href: typed, autolink: true, tokens: [] };
  }

  override table(src: string) {
    return cellsOf(src) > CELLS_MAX ? undefined : super.table(src);
  }

  override html() {
    return undefined;
  }
  override tag() {
    return undefined;
  }
  override def() {
    return undefined;
  }
  // A line of dashes under a sentence is no heading in a chat.
  override lheading() {
    return undefined;
  }
}

/** How many a table at the beginning of the text may have at most. */
function cellsOf(src: string): number {
  const rows = (/^.*(?:\n.*\S.*)*/.exec(src)?.[0] ?? '').split('\n');
  return rows.length * (rows[1] ?? '').split('|').length;
}

const kept = new Map<string, Block[]>();

export function parse(text: string): Block[] {
  const known = kept.get(text);
  if (known) return known;
  const blocks = read(text);
  if (kept.size >= KEPT_MAX) kept.delete(kept.keys().next().value ?? '');
  kept.set(text, blocks);
  return blocks;
}

function read(text: string): Block[] {
  try {
    const lexer = new Lexer({ gfm: true, breaks: true, tokenizer: new Ours() });
    return blocksOf(lexer.lex(tidy(text)));
  } catch {
    // The lexer gives up on some hostile texts; they are still what somebody said.
    return plain(text).map(paragraph);
  }
}

const paragraph = (inlines: Inline[]): Block => ({ is: 'paragraph', inlines });

const known = (tokens: readonly Token[]): MarkedToken[] => tokens as MarkedToken[];

function blocksOf(tokens: readonly Token[]): Block[] {
  return known(tokens).flatMap((token) => blockOf(token) ?? []);
}

function blockOf(token: MarkedToken): Block | null {
  switch (token.type) {
    case 'space':
    case 'checkbox':
      return null;
    case 'heading':
      return { is: 'heading', level: token.depth, inlines: inlinesOf(token.tokens) };
    case 'blockquote':
      return { is: 'quote', blocks: blocksOf(token.tokens) };
    case 'list':
      return {
        is: 'list',
        start: token.ordered ? Number(token.start) : null,
        items: token.items.map(itemOf),
      };
    case 'code':
      return { is: 'code', language: token.lang?.split(/[\s,{]/, 1)[0] ?? '', text: token.text };
    case 'table':
      return {
        is: 'table',
        align: token.align,
        header: token.header.map((cell) => inlinesOf(cell.tokens)),
        rows: token.rows.map((row) => row.map((cell) => inlinesOf(cell.tokens))),
      };
    case 'hr':
      return { is: 'rule' };
    case 'paragraph':
    case 'text':
      return paragraph(inlinesOf(token.tokens ?? [token]));
    default:
      return paragraph(pieces(token.raw));
  }
}

const itemOf = (item: Tokens.ListItem): Item => ({
  done: item.task ? item.checked === true : null,
  blocks: blocksOf(item.tokens),
});

const asText = (text: string): Piece => ({ is: 'text', text });

function inlinesOf(tokens: readonly Token[], inLink = false): Inline[] {
  const parts = known(tokens).flatMap((token) => partsOf(token, inLink));
  return joined(inLink ? parts : covered(parts), inLink);
}

/** A string: text, which may belong to more text beside it. */
type Part = Inline | string;

/** The marks of a spoiler stand alone; one that is escaped comes as two signs. */
function partsOf(token: MarkedToken, inLink: boolean): Part[] {
  const part = inlineOf(token, inLink);
  return typeof part === 'string' && token.type === 'text' ? part.split(/(\|\|)/) : [part];
}

/** With what stands between two marks made a spoiler, unless it is nothing. */
function covered(parts: readonly Part[]): Part[] {
  const found: Part[] = [];
  let opened: number | null = null;
  for (const part of parts) {
    const within: Part[] = part === SPOILER && opened !== null ? found.slice(opened + 1) : [];
    if (within.some((one) => typeof one !== 'string' || one.trim() !== '')) {
      found.splice(opened ?? 0, Infinity, { is: 'spoiler', children: joined(within) });
      opened = null;
      continue;
    }
    if (part === SPOILER) opened = found.length;
    found.push(part);
  }
  return found;
}

/** Neighbouring texts become one before people, rooms and addresses are looked for in it. */
function joined(parts: readonly Part[], inLink = false): Inline[] {
  const found: Inline[] = [];
  let text = '';
  const flush = () => {
    if (text) found.push(...(inLink ? [asText(text)] : pieces(text)));
    text = '';
  };
  for (const part of parts) {
    if (typeof part === 'string') text += part;
    else {
      flush();
      found.push(part);
    }
  }
  flush();
  return found;
}

function inlineOf(token: MarkedToken, inLink: boolean): Part {
  switch (token.type) {
    case 'br':
      return '\n';
    case 'escape':
      return token.text;
    case 'checkbox':
      return '';
    case 'codespan':
      return { is: 'code', text: token.text };
    case 'strong':
    case 'em':
    case 'del':
      return { is: token.type, children: inlinesOf(token.tokens, inLink) };
    case 'link':
    case 'image':
      return inLink ? token.raw : linkOf(token);
    default:
      // Raw, since `text` has `&#65;` read as a letter.
      return token.raw;
  }
}

function linkOf(token: Tokens.Link | Tokens.Image): Inline | string {
  const href = hrefOf(token.href);
  if (href === null) return token.raw;
  const label = token.text || token.href;
  // No picture is fetched from anywhere: that would tell its host who reads this.
  if (token.type === 'image' || token.autolink) return { is: 'address', text: label, href };
  // A label that is an address shows where the link leads, or it could lie.
  if (/^\s*(?:https?:\/\/|www\.)/i.test(label)) return { is: 'address', text: token.href, href };
  const children = inlinesOf(token.tokens, true);
  return { is: 'link', href, children: children.length > 0 ? children : [asText(label)] };
}

/** Only these three kinds, and paths of this server; null: not a link. */
function hrefOf(typed: string): string | null {
  if (/^(?:https?:\/\/|mailto:)/i.test(typed)) return URL.canParse(typed) ? typed : null;
  if (/^\/(?![/\\])/.test(typed)) return URL.canParse(typed, location.origin) ? typed : null;
  return null;
}
