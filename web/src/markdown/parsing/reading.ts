/**
 * Parses a message step by step: only as far as it is unfolded, and never more at once than a page can
 * handle.
 */

import { stepsOf } from './steps';
import { paragraph, parse } from './parse';
import { isPlain, plain, trimText, type Keys } from './plain';
import { cutPortion } from './portions';
import type { Block, Inline } from './tree';

export interface Step {
  readonly blocks: readonly Block[];
  /** The cost of parsing and showing it, in elements and runs of text. */
  readonly cost: number;
  /** The people and rooms it mentions, each once. */
  readonly names: Keys;
}

// The lexer looks at about as many characters in the time that one element takes the page.
const WORK_PER_NODE = 400;

export class Reading {
  readonly #steps: Step[] = [];
  #rest: string;
  /** The whole block of code that the rest continues. */
  #code: string | null = null;

  constructor(text: string) {
    this.#rest = trimText(text);
  }

  /** The first `count` steps, or fewer if the message ends before. */
  steps(count: number): readonly Step[] {
    while (this.#steps.length < count && this.#rest !== '') this.#readOn();
    return this.#steps.slice(0, count);
  }

  hasMore(count: number): boolean {
    return this.#steps.length > count || this.#rest !== '';
  }

  #readOn(): void {
    const { portion, rest, code } = cutPortion(this.#rest);
    const { blocks: read, work } = isPlain(portion) ? asPlain(portion) : parse(portion);
    let blocks = read;
    if (this.#code !== null) blocks = withFirst(blocks, this.#code);
    const isSame = this.#code !== null && blocks.length === 1;
    this.#code = code !== null && isSame ? this.#code : code;
    if (this.#code !== null) blocks = withLast(blocks, this.#code);
    this.#rest = rest.trim() === '' ? '' : rest;
    const steps = stepsOf(blocks);
    for (const [index, { blocks, cost }] of steps.entries()) {
      const reading = index === 0 ? Math.ceil(work / WORK_PER_NODE) : 0;
      this.#steps.push({ blocks, cost: cost + reading, names: namesIn(blocks) });
    }
  }
}

const asPlain = (text: string) => ({ blocks: plain(text).map(paragraph), work: 0 });

function withFirst([first, ...others]: Block[], whole: string): Block[] {
  if (first?.is !== 'code') return first ? [first, ...others] : others;
  // Only its end is left, so it has been shown completely.
  return first.text.trim() === '' ? others : [{ ...first, whole }, ...others];
}

function withLast(blocks: Block[], whole: string): Block[] {
  const last = blocks.at(-1);
  return last?.is === 'code' ? [...blocks.slice(0, -1), { ...last, whole }] : blocks;
}

function namesIn(tree: readonly (Block | Inline)[], found = new Set<string>()): Keys {
  for (const one of tree) {
    if (one.is === 'mention') found.add(`@${one.name}`);
    else if (one.is === 'room') found.add(`#${one.room}`);
    else if ('inlines' in one) namesIn(one.inlines, found);
    else if ('children' in one) namesIn(one.children, found);
    else if ('blocks' in one) namesIn(one.blocks, found);
    else if (one.is === 'list') one.items.forEach(({ blocks }) => namesIn(blocks, found));
    else if (one.is === 'table') [one.header, ...one.rows].flat().forEach((cell) => namesIn(cell, found));
  }
  return found;
}

const CACHE_MAX = 300;
const cache = new Map<string, Reading>();

/** Cached by text, because rows are mounted and unmounted. */
export function readingOf(text: string): Reading {
  const known = cache.get(text);
  if (known) return known;
  const reading = new Reading(text);
  if (cache.size >= CACHE_MAX) cache.delete(cache.keys().next().value ?? '');
  cache.set(text, reading);
  return reading;
}
