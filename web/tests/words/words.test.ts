/** Every language is complete, and views contain no text outside of the words. */

import { parse, type AST } from 'svelte/compiler';
import { describe, expect, test } from 'vitest';

type Leaf = string | number | boolean | null | ((...given: never[]) => unknown);

/** All texts of a language by path: `settings.sections.profile`. */
function leaves(node: unknown, path = ''): Map<string, Leaf> {
  if (typeof node !== 'object' || node === null) return new Map([[path, node as Leaf]]);
  const under = Object.entries(node).flatMap(([key, child]) => [
    ...leaves(child, path ? `${path}.${key}` : key),
  ]);
  return new Map(under);
}

type Module = Record<string, unknown>;

// Every file and not only the index, because the words of many views are in files that are loaded with
// them.
const ENGLISH = leavesOf(import.meta.glob<Module>('../../src/words/en/*.ts', { eager: true }));
const GERMAN = leavesOf(import.meta.glob<Module>('../../src/words/de/*.ts', { eager: true }));

function leavesOf(files: Record<string, Module>): Map<string, Leaf> {
  const areas = Object.entries(files).filter(([file]) => !file.endsWith('/index.ts'));
  return leaves(Object.assign({}, ...areas.map(([, module]) => module)));
}

/** In English the server's own sentence is shown. */
const ONLY_GERMAN = /^errors\.codes\./;

/** The arguments of a command; many have none. */
const MAY_BE_EMPTY = /^commands\.help\.\w+\.0$/;

/** The same in both languages, by path. */
const SAME: ReadonlySet<string> = new Set([
  'browse.optional',
  'common.offline',
  'common.online',
  'composer.emoji',
  'details.title',
  'formatting.names.code',
  'formatting.names.link',
  'formatting.names.spoiler',
  'keys.names.Alt',
  'keys.names.Enter',
  'keys.names.Escape',
  'keys.names.Tab',
  'markdown.code',
  'markdown.emoji',
  'rooms.thread',
  'rooms.threads',
  'settings.about.version',
  'settings.appearance.themes.system',
  'settings.profile.handle',
  'settings.roles.admin',
  'settings.sections.server',
  'signIn.name',
  'threads.title',
]);

function shape(leaf: Leaf): string {
  return typeof leaf === 'function' ? `function of ${leaf.length}` : typeof leaf;
}

describe('English and German', () => {
  test('have the same texts, and functions of as many things', () => {
    expect(ENGLISH.size).toBeGreaterThan(300);
    const shapes = (all: Map<string, Leaf>) =>
      Object.fromEntries(
        [...all].filter(([path]) => !ONLY_GERMAN.test(path)).map(([path, leaf]) => [path, shape(leaf)]),
      );
    expect(shapes(GERMAN)).toEqual(shapes(ENGLISH));
  });

  test('have no empty text, and none that begins or ends with a space', () => {
    for (const [language, all] of [['en', ENGLISH], ['de', GERMAN]] as const) {
      const bad = [...all].filter(([, leaf]) => typeof leaf === 'string' && leaf.trim() !== leaf);
      const empty = [...all].filter(([path, leaf]) => leaf === '' && !MAY_BE_EMPTY.test(path));
      expect([...bad, ...empty].map(([path]) => `${language}: ${path}`)).toEqual([]);
    }
  });

  test('contain no placeholders', () => {
    const marker = /\{\w*\}|%[sd]|\$\{|undefined|\[object/;
    const bad = [...ENGLISH, ...GERMAN].filter(
      ([, leaf]) => typeof leaf === 'string' && marker.test(leaf),
    );
    expect(bad.map(([path]) => path)).toEqual([]);
  });

  test('differ in every text', () => {
    const same = [...ENGLISH].filter(
      ([path, leaf]) => typeof leaf === 'string' && leaf && GERMAN.get(path) === leaf,
    );
    expect(same.map(([path]) => path).filter((path) => !SAME.has(path))).toEqual([]);
  });

  test('use typographic quotes, dashes and ellipses', () => {
    const bad = [...ENGLISH, ...GERMAN].filter(
      ([, leaf]) => typeof leaf === 'string' && /\.\.\.|(?<=\p{L})'(?=\p{L})| - /u.test(leaf),
    );
    expect(bad.map(([path]) => path)).toEqual([]);
  });
});

// --- what stands in the views ---------------------------------------------------------------------

/** Attributes that people read or hear, and props of components for such texts. */
const READ =
  /^(aria-(label|description|roledescription|valuetext)|placeholder|title|alt|label|hint|text|problem)$/;
/** `style:` and `class:` directives contain no text. */
const DIRECTIVE = /Directive$/;

/** The program's name, and single letters on a keyboard, are no words. */
const ALIKE = /^(Hubbub|[A-Z])$/;

const hasLetters = (text: string): boolean => /\p{L}/u.test(text) && !ALIKE.test(text.trim());

interface Node {
  type: string;
  [key: string]: unknown;
}

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';

function* below(node: Node): Generator<Node> {
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (isNode(child)) yield child;
    }
  }
}

/** The texts of an expression, as far as it consists of texts: `a ? 'b' : 'c'`, `` `d ${e}` ``. */
function textsOf(node: Node): string[] {
  switch (node.type) {
    case 'Literal':
      return typeof node['value'] === 'string' ? [node['value']] : [];
    case 'TemplateLiteral':
      return (node['quasis'] as { value: { raw: string } }[]).map(({ value }) => value.raw);
    case 'ConditionalExpression':
      return [node['consequent'], node['alternate']].flatMap((one) => textsOf(one as Node));
    case 'LogicalExpression':
    case 'BinaryExpression':
      return [node['left'], node['right']].flatMap((one) => textsOf(one as Node));
    default:
      return [];
  }
}

/** The visible texts of a template. */
function* visible(node: Node): Generator<string> {
  if (node.type === 'Text') yield node['data'] as string;
  else if (node.type === 'ExpressionTag') yield* textsOf(node['expression'] as Node);
  else if (DIRECTIVE.test(node.type)) return;
  else if (node.type === 'Attribute' && !READ.test(node['name'] as string)) return;
  else for (const child of below(node)) yield* visible(child);
}

const VIEWS = import.meta.glob<string>('../../src/**/*.svelte', {
  query: '?raw',
  import: 'default',
  eager: true,
});

function findings([file, source]: [string, string]): string[] {
  const { fragment } = parse(source, { modern: true }) satisfies AST.Root;
  return [...visible(fragment as unknown as Node)]
    .filter(hasLetters)
    .map((text) => `${file}: ${text.trim()}`);
}

test('no view contains text that is not in the words', () => {
  const views = Object.entries(VIEWS);
  expect(views.length).toBeGreaterThan(20);
  expect(views.flatMap(findings)).toEqual([]);
});

test('such text would be found', () => {
  const { fragment } = parse(
    `<p class="box {open ? 'wide' : ''}" style:width="{size}px">Hello</p><p>{n > 1 ? 'many' : t.one}</p>
     <img alt="A duck" src="duck.png"><button title={\`Close \${it}\`}></button>`,
    { modern: true },
  );
  const found = [...visible(fragment as unknown as Node)].filter(hasLetters);
  expect(found.map((text) => text.trim())).toEqual(['Hello', 'many', 'A duck', 'Close']);
});
