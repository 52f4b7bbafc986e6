/**
 * Converts the tokens of marked's lexer to our tree. What we do not show as markup (HTML, images,
 * definitions) is shown as typed, so no part of a message is hidden.
 *
 * For some texts the lexer needs quadratic time or worse. Therefore its work is counted: it gets one
 * portion of a message (`portions.ts`), each look at a text costs its length, and beyond `WORK_MAX` the
 * rest stays plain text.
 */

import { Lexer, Tokenizer, type MarkedToken, type Token, type Tokens } from 'marked';
import { pieces, plain, trimText, withoutEnd } from './plain';
import { placeToCut } from './portions';
import type { Block, Inline, Item, Piece } from './tree';

// Deeper nesting stays text: the lexer's time and stack grow with the depth, and phones have no room
// for the indentation.
const DEPTH_MAX = 8;
const TOO_DEEP = new RegExp(`^(?:[ \\t]*(?:[-+*>]|\\d{1,9}[.)])){${DEPTH_MAX + 1}}`);
/** Characters that the lexer may look at in one portion, counting repeated looks. */
export const WORK_MAX = 100_000;
// What it tries at the start of every block; how far it looks ahead in every run of text; and a factor
// for the patterns that find the end of emphasis, which are slower than others.
const BLOCK = 50;
const LOOK_AHEAD = 20;
const EMPHASIS = 4;
// Some of its patterns search a whole paragraph from every bracket, so longer paragraphs are parsed in
// parts.
const INLINE_MAX = 1_000;
// The same as in `pieces`, but before the characters inside are taken for markup.
const ADDRESS = /^https?:\/\/(?:(?!\|\|)[^\s<>"`\\])+/i;
// Every row of a table has as many cells as its head, so a short text could produce millions.
const CELLS_MAX = 2_000;
const COLUMNS_MAX = 50;
const SPOILER = '||';

class TooMuchWork extends Error {}

/** The lexer's work so far on one portion. */
class Work {
  done = 0;

  charge(length: number): void {
    this.done += length + 1;
    if (this.done > WORK_MAX) throw new TooMuchWork();
  }
}

class CountedTokenizer extends Tokenizer {
  #depth = 0;

  constructor(private readonly work: Work) {
    super();
  }

  #deeper<T>(charge: number, read: () => T | undefined): T | undefined {
    if (this.#depth >= DEPTH_MAX) return undefined;
    this.work.charge(charge);
    this.#depth += 1;
    try {
      return read();
    } finally {
      this.#depth -= 1;
    }
  }

  // Called first for every block; tokenizers that look further are charged for it.
  override space(src: string) {
    this.work.charge(BLOCK);
    return super.space(src);
  }
  override blockquote(src: string) {
    return this.#deeper(src.length, () => super.blockquote(src));
  }
  override list(src: string) {
    // For each following line, all markers of a line are looked at again.
    if (TOO_DEEP.test(src)) return undefined;
    return this.#deeper(src.length, () => super.list(src));
  }
  override link(src: string) {
    if (!/^!?\[/.test(src)) return undefined;
    return this.#deeper(src.length, () => super.link(src));
  }
  override emStrong(src: string, masked: string, before?: string) {
    if (!/^[*_]/.test(src)) return undefined;
    return this.#deeper(EMPHASIS * src.length, () => super.emStrong(src, masked, before));
  }
  override del(src: string, masked: string, before?: string) {
    if (src[0] !== '~') return undefined;
    return this.#deeper(EMPHASIS * src.length, () => super.del(src, masked, before));
  }
  // There are no definitions that a label could refer to.
  override reflink(src: string): Tokens.Text | undefined {
    const [raw] = /^!?\[/.exec(src) ?? [];
    return raw ? { type: 'text', raw, text: raw, escaped: false } : undefined;
  }
  override codespan(src: string) {
    if (src[0] !== '`') return undefined;
    this.work.charge(src.length);
    return super.codespan(src);
  }
  override inlineText(src: string) {
    const token = super.inlineText(src);
    if (token) this.work.charge(token.raw.length + LOOK_AHEAD);
    return token;
  }

  override url(src: string): Tokens.Link | undefined {
    const typed = withoutEnd(ADDRESS.exec(src)?.[0] ?? '');
    if (!URL.canParse(typed)) return undefined;
    return { type: 'link', raw: typed, text: typed, href: typed, autolink: true, tokens: [] };
  }

  override table(src: string) {
    return fits(src) ? super.table(src) : undefined;
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
  // In a chat, a line of dashes below a sentence does not make it a heading.
  override lheading() {
    return undefined;
  }
}

/** Whether the table at the beginning of the text is small enough to show. */
function fits(src: string): boolean {
  const rows = (/^.*(?:\n.*\S.*)*/.exec(src)?.[0] ?? '').split('\n');
  const columns = (rows[1] ?? '').split('|').length;
  return columns <= COLUMNS_MAX && rows.length * columns <= CELLS_MAX;
}

class CountedLexer extends Lexer {
  readonly work: Work;

  constructor() {
    const work = new Work();
    super({ gfm: true, breaks: true, tokenizer: new CountedTokenizer(work) });
    this.work = work;
  }

  override inlineTokens(src: string, tokens: Token[] = []): Token[] {
    this.work.charge(src.length);
    return super.inlineTokens(src, tokens);
  }

  override lex(src: string) {
    this.blockTokens(src, this.tokens);
    for (const { src, tokens } of this.inlineQueue) this.#inline(src, tokens);
    this.inlineQueue = [];
    return this.tokens;
  }

  #inline(src: string, tokens: Token[]): void {
    try {
      for (let from = 0; from < src.length; ) {
        const to = placeToCut(src, from, INLINE_MAX);
        this.inlineTokens(src.slice(from, to), tokens);
        from = to;
      }
    } catch (error) {
      if (!(error instanceof TooMuchWork)) throw error;
      tokens.splice(0, Infinity, { type: 'text', raw: src, text: src });
    }
  }
}

/** Parses a portion of a message; also returns the lexer's work. */
export function parse(text: string): { blocks: Block[]; work: number } {
  const lexer = new CountedLexer();
  try {
    const blocks = blocksOf(lexer.lex(trimText(text)));
    return { blocks, work: lexer.work.done };
  } catch {
    // Too much work, or nested deeper than the stack allows: show it as plain text.
    return { blocks: plain(text).map(paragraph), work: lexer.work.done };
  }
}

export const paragraph = (inlines: Inline[]): Block => ({ is: 'paragraph', inlines });

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
  return joinTexts(inLink ? parts : joinSpoilers(parts), inLink);
}

/** A string is text that may be joined with adjacent text. */
type Part = Inline | string;

/** Splits off the marks of spoilers. An escaped mark arrives as two separate characters. */
function partsOf(token: MarkedToken, inLink: boolean): Part[] {
  const part = inlineOf(token, inLink);
  return typeof part === 'string' && token.type === 'text' ? part.split(/(\|\|)/) : [part];
}

/** Turns what is between two marks into a spoiler, unless it is empty. */
function joinSpoilers(parts: readonly Part[]): Part[] {
  const found: Part[] = [];
  let opened: number | null = null;
  for (const part of parts) {
    const within: Part[] = part === SPOILER && opened !== null ? found.slice(opened + 1) : [];
    if (within.some((one) => typeof one !== 'string' || one.trim() !== '')) {
      found.splice(opened ?? 0, Infinity, { is: 'spoiler', children: joinTexts(within) });
      opened = null;
      continue;
    }
    if (part === SPOILER) opened = found.length;
    found.push(part);
  }
  return found;
}

/** Joins adjacent texts before people, rooms and addresses are looked for in them. */
function joinTexts(parts: readonly Part[], inLink = false): Inline[] {
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
      // The raw text, because `text` has entities such as `&#65;` decoded.
      return token.raw;
  }
}

function linkOf(token: Tokens.Link | Tokens.Image): Inline | string {
  const href = hrefOf(token.href);
  if (href === null) return token.raw;
  const label = token.text || token.href;
  // Images are not fetched, because that would tell their host who reads this.
  if (token.type === 'image' || token.autolink) return { is: 'address', text: label, href };
  // If the label is an address, show the real one, or the label could lie.
  if (/^\s*(?:https?:\/\/|www\.)/i.test(label)) return { is: 'address', text: token.href, href };
  const children = inlinesOf(token.tokens, true);
  return { is: 'link', href, children: children.length > 0 ? children : [asText(label)] };
}

/** Only these three schemes, and paths of this server; null: not a link. */
function hrefOf(typed: string): string | null {
  if (/^(?:https?:\/\/|mailto:)/i.test(typed)) return URL.canParse(typed) ? typed : null;
  if (/^\/(?![/\\])/.test(typed)) return URL.canParse(typed, location.origin) ? typed : null;
  return null;
}
