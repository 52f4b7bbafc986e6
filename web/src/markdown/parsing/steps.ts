/** Splits a parsed text into steps that a page can show quickly. */

import type { Block, Inline, Item } from './tree';

/** The budget of a step; an element costs 1, and so does a run of text. */
export const NODES_MAX = 400;
// These consist of several elements.
const SPOILER = 8;
const CODE = 12;
const TABLE = 4;
const ITEM = 2;
const CELL = 2;
/** Highlighted code has about one run per so many characters, up to a maximum. */
const RUN_LENGTH = 8;
export const RUNS_MAX = 300;
// Rows are not split; in one that would cost more, the cells become plain text.
const ROW_MAX = 150;

/** The cost of a step so far, and its budget. */
interface Budget {
  spent: number;
  readonly max: number;
}

/** The part that fitted, and the part that did not. */
type Split<T> = readonly [T | null, T | null];
type Cut<T> = (one: T, budget: Budget) => Split<T>;

export interface Step {
  blocks: readonly Block[];
  cost: number;
}

/** All blocks, in steps. */
export function stepsOf(blocks: readonly Block[]): Step[] {
  const steps: Step[] = [];
  for (let rest = blocks; rest.length > 0; ) {
    const budget = { spent: 0, max: NODES_MAX };
    const [step, more] = cutList(rest, budget, cutBlock);
    steps.push({ blocks: step, cost: budget.spent });
    rest = more;
  }
  return steps;
}

function cutList<T>(list: readonly T[], budget: Budget, cut: Cut<T>): readonly [T[], T[]] {
  const done: T[] = [];
  for (const [index, one] of list.entries()) {
    if (budget.spent >= budget.max) return [done, list.slice(index)];
    const [head, tail] = cut(one, budget);
    if (head) done.push(head);
    if (tail) return [done, [tail, ...list.slice(index + 1)]];
  }
  return [done, []];
}

/** Splits a container into two of its kind, unless everything is in one part. */
function split<T, Part>(
  whole: T,
  [done, rest]: readonly [Part[], Part[]],
  like: (parts: Part[], isRest: boolean) => T,
): Split<T> {
  if (rest.length === 0) return [whole, null];
  return done.length === 0 ? [null, whole] : [like(done, false), like(rest, true)];
}

function cutBlock(block: Block, budget: Budget): Split<Block> {
  switch (block.is) {
    case 'paragraph':
    case 'heading':
      budget.spent += 1;
      return split<Block, Inline>(block, cutList(block.inlines, budget, cutInline), (inlines) => ({ ...block, inlines }));
    case 'quote':
      budget.spent += 1;
      return split<Block, Block>(block, cutList(block.blocks, budget, cutBlock), (blocks) => ({ ...block, blocks }));
    case 'list':
      budget.spent += 1;
      return split<Block, Item>(block, cutList(block.items, budget, cutItem), (items, isRest) => ({
        ...block,
        // A split item continues under its own number.
        start: block.start !== null && isRest ? block.start + block.items.length - items.length : block.start,
        items,
      }));
    case 'table':
      return cutTable(block, budget);
    case 'code': {
      const cost = CODE + Math.min(RUNS_MAX, Math.ceil(block.text.length / RUN_LENGTH));
      return whole(block, cost, budget);
    }
    case 'rule':
      return whole(block, 1, budget);
  }
}

/** What cannot be split moves to the next step if it does not fit, alone if it has to. */
function whole<T>(one: T, cost: number, budget: Budget): Split<T> {
  if (budget.spent > 0 && budget.spent + cost > budget.max) {
    budget.spent = budget.max;
    return [null, one];
  }
  budget.spent += cost;
  return [one, null];
}

function cutItem(item: Item, budget: Budget): Split<Item> {
  budget.spent += ITEM;
  return split(item, cutList(item.blocks, budget, cutBlock), (blocks) => ({ ...item, blocks }));
}

function cutTable(table: Block & { is: 'table' }, budget: Budget): Split<Block> {
  const header = bounded(table.header);
  budget.spent += TABLE + costOfRow(header);
  const rows = table.rows.map(bounded);
  const cut = cutList(rows, budget, (row, budget) => {
    budget.spent += costOfRow(row);
    return [row, null];
  });
  return split<Block, Inline[][]>({ ...table, header, rows }, cut, (rows) => ({ ...table, header, rows }));
}

const costOfRow = (row: readonly Inline[][]): number =>
  row.reduce((sum, cell) => sum + CELL + costOf(cell), 0);

function costOf(inlines: readonly Inline[]): number {
  const budget = { spent: 0, max: Infinity };
  cutList(inlines, budget, cutInline);
  return budget.spent;
}

const bounded = (row: Inline[][]): Inline[][] =>
  costOfRow(row) <= ROW_MAX ? row : row.map((cell) => [{ is: 'text', text: textOf(cell) }]);

const textOf = (inlines: readonly Inline[]): string =>
  inlines
    .map((one) => (one.is === 'spoiler' ? '▒▒▒' : 'children' in one ? textOf(one.children) : one.text))
    .join('');

function cutInline(inline: Inline, budget: Budget): Split<Inline> {
  if ('children' in inline) {
    budget.spent += inline.is === 'spoiler' ? SPOILER : 1;
    return split<Inline, Inline>(inline, cutList(inline.children, budget, cutInline), (children) => ({ ...inline, children }));
  }
  budget.spent += inline.is === 'text' ? 1 : 2;
  return [inline, null];
}
