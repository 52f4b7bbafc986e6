/**
 * The emoji as virtual modules, generated from emojibase at build time, because its tables are ten
 * times as large as a picker needs. `virtual:emoji` has what all languages share, `virtual:emoji/de`
 * the German names; the lines of both correspond.
 */

import { createRequire } from 'node:module';
import type { Plugin } from 'vite';

interface Source {
  hexcode: string;
  label: string;
  emoji: string;
  tags?: string[];
  group?: number;
  order?: number;
  /** 1: shown as a picture without a variation selector. */
  type: 0 | 1;
  version: number;
}

type Codes = Record<string, string | string[]>;

const ID = /^virtual:emoji(?:\/([a-z]{2}))?$/;
// Newer ones appear as empty boxes, or as their parts, on devices a few years old.
const NEWEST = 15.1;
// Single skin tones and hair styles.
const COMPONENTS = 2;

const load = createRequire(import.meta.url);
const source = <T>(path: string): T => load(`emojibase-data/${path}.json`) as T;

/** In Unicode's order. */
function chosen(language: string): Source[] {
  return source<Source[]>(`${language}/data`)
    .filter(({ group, version }) => group !== undefined && group !== COMPONENTS && version <= NEWEST)
    .sort((a, b) => (a.order ?? 0) - (b.order ?? 0));
}

/**
 * Emojibase always adds the variation selector; Unicode's "fully qualified" form only where it is
 * needed.
 */
function qualified({ emoji, type }: Source): string {
  const [first = '', selector, ...rest] = emoji;
  return type === 1 && selector === '\ufe0f' && rest.length === 0 ? first : emoji;
}

/**
 * GitHub's shortcodes first, because they are the best known; then those of emojibase that GitHub does
 * not use for another emoji.
 */
function shortcodes(): (hexcode: string) => string[] {
  const github = source<Codes>('en/shortcodes/github');
  const others = source<Codes>('en/shortcodes/emojibase');
  const of = (codes: Codes, hexcode: string) => [codes[hexcode] ?? []].flat();
  const taken = new Set(Object.keys(github).flatMap((hexcode) => of(github, hexcode)));
  return (hexcode) => [
    ...of(github, hexcode),
    ...of(others, hexcode).filter((code) => !taken.has(code)),
  ];
}

function rows(language: string | undefined): unknown[] {
  if (language) return chosen(language).map(({ label, tags = [] }) => [label, tags.join(' ')]);
  const codes = shortcodes();
  return chosen('en').map((one) => [qualified(one), one.group, codes(one.hexcode).join(' ')]);
}

export function emoji(): Plugin {
  return {
    name: 'emoji',
    resolveId: (id) => (ID.test(id) ? `\0${id}` : null),
    load(id) {
      const found = id.startsWith('\0') ? ID.exec(id.slice(1)) : null;
      if (!found) return null;
      // Engines parse a string of JSON faster than the equivalent program.
      const json = JSON.stringify(JSON.stringify(rows(found[1])));
      return `export default JSON.parse(${json})`;
    },
  };
}
