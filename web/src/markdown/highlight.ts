/** Syntax highlighting: lowlight's tree, flattened to runs of one kind each. */

import bash from 'highlight.js/lib/languages/bash';
import c from 'highlight.js/lib/languages/c';
import cpp from 'highlight.js/lib/languages/cpp';
import css from 'highlight.js/lib/languages/css';
import diff from 'highlight.js/lib/languages/diff';
import go from 'highlight.js/lib/languages/go';
import ini from 'highlight.js/lib/languages/ini';
import java from 'highlight.js/lib/languages/java';
import javascript from 'highlight.js/lib/languages/javascript';
import json from 'highlight.js/lib/languages/json';
import python from 'highlight.js/lib/languages/python';
import rust from 'highlight.js/lib/languages/rust';
import sql from 'highlight.js/lib/languages/sql';
import typescript from 'highlight.js/lib/languages/typescript';
import xml from 'highlight.js/lib/languages/xml';
import yaml from 'highlight.js/lib/languages/yaml';
import { createLowlight } from 'lowlight';
import { RUNS_MAX } from './parsing/steps';

type Root = ReturnType<ReturnType<typeof createLowlight>['highlight']>;
type Node = Root['children'][number];

export type Kind = 'comment' | 'keyword' | 'string' | 'number' | 'name' | 'type' | 'deleted';

export interface Run {
  kind: Kind | null;
  text: string;
}

const lowlight = createLowlight({
  bash,
  c,
  cpp,
  css,
  diff,
  go,
  ini,
  java,
  javascript,
  json,
  python,
  rust,
  sql,
  typescript,
  xml,
  yaml,
});
lowlight.registerAlias({ bash: ['shell', 'console'], ini: ['toml'], javascript: ['svelte'] });

// By highlight.js's scopes; all others look like plain text.
const KINDS: Record<string, Kind> = {
  comment: 'comment',
  quote: 'comment',
  doctag: 'comment',
  keyword: 'keyword',
  literal: 'keyword',
  'selector-tag': 'keyword',
  meta: 'keyword',
  string: 'string',
  regexp: 'string',
  addition: 'string',
  symbol: 'string',
  number: 'number',
  bullet: 'number',
  link: 'number',
  title: 'name',
  section: 'name',
  attr: 'name',
  attribute: 'name',
  property: 'name',
  'selector-class': 'name',
  'selector-id': 'name',
  variable: 'name',
  name: 'name',
  type: 'type',
  built_in: 'type',
  'template-variable': 'type',
  deletion: 'deleted',
};

// Longer code is not highlighted, since that would block the page.
const LENGTH_MAX = 4_000;
const CACHE_MAX = 200;

const cache = new Map<string, readonly Run[]>();

/** Null: an unknown language, or too long. */
export function highlight(language: string, text: string): readonly Run[] | null {
  const name = language.toLowerCase();
  if (!lowlight.registered(name) || text.length > LENGTH_MAX) return null;
  const key = `${name}\n${text}`;
  const known = cache.get(key);
  if (known) return known;
  const runs = read(name, text);
  if (cache.size >= CACHE_MAX) cache.delete(cache.keys().next().value ?? '');
  cache.set(key, runs);
  return runs;
}

function read(name: string, text: string): readonly Run[] {
  try {
    return bounded(flatten(lowlight.highlight(name, text).children, null));
  } catch {
    // Nested deeper than the stack allows.
    return [{ kind: null, text }];
  }
}

/** Limits the number of runs; the rest of the code is not highlighted. */
function bounded(runs: readonly Run[]): readonly Run[] {
  if (runs.length <= RUNS_MAX) return runs;
  const rest = runs.slice(RUNS_MAX - 1).map(({ text }) => text);
  return [...runs.slice(0, RUNS_MAX - 1), { kind: null, text: rest.join('') }];
}

function flatten(nodes: readonly Node[], around: Kind | null): Run[] {
  return nodes.flatMap((node) => {
    if (node.type === 'text') return [{ kind: around, text: node.value }];
    if (node.type !== 'element') return [];
    return flatten(node.children as Node[], kindOf(node.properties['className']) ?? around);
  });
}

/** From class names such as `['hljs-title', 'function_']`. */
function kindOf(classes: unknown): Kind | null {
  const first = Array.isArray(classes) ? String(classes[0]) : '';
  return KINDS[first.replace('hljs-', '')] ?? null;
}
