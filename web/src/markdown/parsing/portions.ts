/**
 * Splits a message into portions that can each be parsed and shown quickly, whatever they contain. One
 * pass over the lines finds the end of the first portion where it matters least: between paragraphs,
 * otherwise lines, otherwise words. What continues beyond (a block of code, a table, a spoiler) is
 * closed there and opened again in the rest.
 */

import { CHARACTERS, LINES } from './plain';

export interface CutPortion {
  portion: string;
  rest: string;
  /** The whole block of code that the portion ends in. */
  code: string | null;
}

/** A small remainder is not worth a button. */
const OVERSHOOT = 1.25;

const FENCE = /^ {0,3}(`{3,}|~{3,})([^\n]*)$/;
const TABLE_RULE = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;
// What is repeated at the beginning of what is left is small beside it.
const REPEATED_MAX = 400;
// The second half of a character; a mark on what stands before it, or something joined to it.
const LOW_SURROGATE = /[\udc00-\udfff]/;
const JOINED = /^[^](?:[\p{M}\u200d]|\p{Emoji_Modifier})|^\u200d/u;
const JOINED_MAX = 40;
const ESCAPED_OR_CODE = /\\[^\n]|(?<!`)`[^`\n]+`(?!`)/g;

interface Fence {
  line: string;
  sign: string;
  /** The offset of its first line of code. */
  from: number;
}

/** A position between lines. */
interface CutPoint {
  at: number;
  fence: Fence | null;
  /** The start of the surrounding paragraph, list or table; equal to `at` between two of them. */
  blockAt: number;
}

const TEXT_START: CutPoint = { at: 0, fence: null, blockAt: 0 };

export function cutPortion(text: string): CutPortion {
  const places = placesIn(text);
  if (!places) return { portion: text, rest: '', code: null };
  const place = bestOf(text, places);
  const portion = text.slice(0, place.at);
  let rest = text.slice(place.at);
  const { fence } = place;
  if (fence) {
    const closed = `${portion.replace(/\n$/, '')}\n${fence.sign}`;
    return { portion: closed, rest: `${fence.line}\n${rest}`, code: codeOf(text, fence) };
  }
  // What was inside a line must not start a block now that it starts the line.
  if (!portion.endsWith('\n')) rest = rest.replace(/^[-+*#>~`|=]/, '\\$&');
  const block = text.slice(place.blockAt, place.at);
  const head = headOf(block);
  if (head !== null) return { portion, rest: head + rest, code: null };
  const next = /^[^]*?(?=\n[^\S\n]*\n|$)/.exec(rest)?.[0] ?? '';
  if (!hasOpenSpoiler(block) || !next.includes('||')) return { portion, rest, code: null };
  return { portion: `${portion.trimEnd()}||`, rest: rest.replace(/^[\s>]*/, '$&||'), code: null };
}

/** The ends of the lines that it may have; null: all of the text is one portion. */
function placesIn(text: string): CutPoint[] | null {
  const places = [TEXT_START];
  let { at, fence, blockAt }: CutPoint = TEXT_START;
  let lines = 0;
  while (at < text.length) {
    const newline = text.indexOf('\n', at);
    const to = newline < 0 ? text.length : newline + 1;
    const line = text.slice(at, newline < 0 ? to : newline);
    const isBlank = line.trim() === '';
    if (!isBlank || fence) lines += 1;
    if (to > CHARACTERS * OVERSHOOT || lines > LINES * OVERSHOOT) return places;
    const [, sign = '', info = ''] = FENCE.exec(line) ?? [];
    if (fence) {
      if (sign.startsWith(fence.sign) && info.trim() === '') fence = null;
      blockAt = to;
    } else if (isBlank) {
      blockAt = to;
    } else if (sign && line.length <= REPEATED_MAX && !(sign[0] === '`' && info.includes('`'))) {
      fence = { line, sign, from: to };
    }
    at = to;
    if (at <= CHARACTERS && lines <= LINES) places.push({ at, fence, blockAt });
  }
  return null;
}

function bestOf(text: string, places: readonly CutPoint[]): CutPoint {
  const last = places.at(-1) ?? TEXT_START;
  // The next line is longer than everything before it.
  if (last.at < CHARACTERS / 2 && isLongLine(text, last.at)) {
    return { ...last, at: placeToCut(text, 0, CHARACTERS) };
  }
  const isApart = ({ at, fence, blockAt }: CutPoint) =>
    !fence && blockAt === at && at >= last.at / 2 && !/[ \t]/.test(text.charAt(at));
  return places.findLast(isApart) ?? last;
}

const isLongLine = (text: string, from: number): boolean =>
  !text.slice(from, CHARACTERS).includes('\n');

/** The end of the longest part from there on that can stand alone: after a line or a word. */
export function placeToCut(text: string, from: number, length: number): number {
  const end = from + length;
  if (end >= text.length) return text.length;
  const half = text.slice(from + (length >> 1), end);
  const space = half.lastIndexOf('\n') + 1 || half.lastIndexOf(' ') + 1;
  if (space > 0) return end - half.length + space;
  // Not inside a letter or emoji made of several code points, unless it is endless.
  let at = end;
  while (at > end - JOINED_MAX && isJoined(text, at)) at -= 1;
  return at;
}

const isJoined = (text: string, at: number): boolean =>
  LOW_SURROGATE.test(text.charAt(at)) || JOINED.test(text.slice(at - 1, at + 2));

function codeOf(text: string, { from, sign }: Fence): string {
  const end = new RegExp(`^ {0,3}${sign}[${sign.charAt(0)}]*[ \\t]*$`, 'm');
  const code = text.slice(from);
  return code.slice(0, end.exec(code)?.index).replace(/\n$/, '');
}

/** The head of a table that the block is or ends with. */
function headOf(block: string): string | null {
  if (!block.endsWith('\n')) return null;
  const lines = block.split('\n');
  const rule = lines.findLastIndex((line) => line.includes('|') && TABLE_RULE.test(line));
  const head = lines.slice(rule - 1, rule + 1).join('\n');
  return rule > 0 && head.length <= REPEATED_MAX ? `${head}\n` : null;
}

/** Whether a spoiler is still open at the end. */
const hasOpenSpoiler = (block: string): boolean =>
  block.replace(ESCAPED_OR_CODE, '').split('||').length % 2 === 0;
