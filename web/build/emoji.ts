/**
 * The emoji as a module, made from emojibase when the client is built: its tables are ten times as
 * large as what a picker needs. `virtual:emoji` has what every language shares, `virtual:emoji/de`
 * what they are called in German; line n of one belongs to line n of the other.
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
  /** 1: a picture without being asked for by a variation selector. */
  type: 0 | 1;
  version: number;
}

type Codes = Record<string, string | string[]>;

const ID = /^virtual:emoji(?:\/([a-z]{2}))?$/;
// Newer ones show as empty boxes, or fall into their parts, on devices a few years old.
const NEWEST = 15.1;
// Skin tones and hair by themselves.
const COMPONENTS = 2;

const load = createRequire(import.meta.url);
const source = <T>(path: string): T => load(`emojibase-data/${path}.json`) as T;

/** In the order of Unicode's own list. */
function chosen(language: string): Source[] {
  return source<Source[]>(`${language}/data`)
    .filter(({ group, version }) => group !== undefined && group !== COMPONENTS && version <= NEWEST)
    .sort((a, b) => (a.order ?? 0) - (b.order ?? 0));
}

/** Emojibase asks for a picture always; Unicode's "fully qualified" form only where it has to. */
function qualified({ emoji, type }: Source): string {
  const [first = '', selector, ...rest] = emoji;
  return type === 1 && selector === '\ufe0f' && rest.length === 0 ? first : emoji;
}

/** GitHub's first, as people know them; then those of emojibase that mean nothing else there. */
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
      // Engines read a string of JSON faster than the same thing as a program.
      const json = JSON.stringify(JSON.stringify(rows(found[1])));
      return `export default JSON.parse(${json})`;
    },
  };
}
