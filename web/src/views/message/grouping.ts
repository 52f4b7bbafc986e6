/**
 * Groups messages into rows of the timeline. Pure.
 *
 * Unchanged rows keep their identity, so a new message rerenders only itself and the row above it.
 */

import type { Pending } from '../../data/storage/outbox';
import type { Message } from '../../data/state/state';

const TOGETHER_MS = 5 * 60_000;

export type TimelineEntry = Message | Pending;

export interface Row {
  /** The same for a message being sent and for the server's copy of it. */
  readonly key: string | number;
  readonly entry: TimelineEntry;
  readonly above: TimelineEntry | null;
  readonly by: string;
  readonly at: number;
  /** The first message of its day. */
  readonly day: boolean;
  /** The first unread message. */
  readonly isNew: boolean;
  /** First and last of a group, which has one avatar and one name. */
  readonly head: boolean;
  readonly tail: boolean;
}

export interface Rows {
  readonly list: readonly Row[];
  readonly byKey: ReadonlyMap<string | number, Row>;
}

export interface GroupingContext {
  me: string;
  /** The seq of the message above the line "New"; null: no line. */
  newAfter: number | null;
  /** Nonces of messages sent from here; they keep their rows when the server has them. */
  written: ReadonlySet<string>;
}

export const NO_ROWS: Rows = { list: [], byKey: new Map() };

export const messageIn = ({ entry }: Row): Message | null => ('seq' in entry ? entry : null);
export const pendingIn = ({ entry }: Row): Pending | null => ('seq' in entry ? null : entry);

/** The rows of these entries, reusing unchanged rows from `before`. */
export function groupRows(entries: readonly TimelineEntry[], around: GroupingContext, before: Rows = NO_ROWS): Rows {
  const drafts: Row[] = [];
  for (const entry of entries) {
    const above = drafts.at(-1) ?? null;
    drafts.push(reuseRow(entry, above, around, before) ?? rowOf(entry, above, around));
  }
  const list = drafts.map((row, index) => {
    const tail = drafts[index + 1]?.head ?? true;
    return row.tail === tail ? row : { ...row, tail };
  });
  return { list, byKey: new Map(list.map((row) => [row.key, row])) };
}

function reuseRow(entry: TimelineEntry, above: Row | null, around: GroupingContext, before: Rows): Row | null {
  const known = before.byKey.get(keyOf(entry, around));
  if (known?.entry !== entry || known.above !== (above?.entry ?? null)) return null;
  return known.isNew === isFirstNew(entry, known.above, around.newAfter) ? known : null;
}

function rowOf(entry: TimelineEntry, above: Row | null, around: GroupingContext): Row {
  // A pending message has the time of this device's clock, but is never earlier than the row above.
  const at = 'seq' in entry ? entry.at : Math.max(entry.at, above?.at ?? 0);
  const row = {
    key: keyOf(entry, around),
    entry,
    above: above?.entry ?? null,
    by: 'seq' in entry ? entry.by : around.me,
    at,
    day: above === null || (at > above.at && !sameDay(at, above.at)),
    isNew: isFirstNew(entry, above?.entry ?? null, around.newAfter),
    head: true,
    tail: true,
  };
  return { ...row, head: above === null || !belongsToGroup(row, above) };
}

function keyOf(entry: TimelineEntry, { me, written }: GroupingContext): string | number {
  if (!('seq' in entry)) return entry.nonce;
  const { nonce, by, seq } = entry;
  return nonce !== null && by === me && written.has(nonce) ? nonce : seq;
}

function belongsToGroup(row: Row, above: Row): boolean {
  if (row.day || row.isNew || row.by !== above.by) return false;
  if (row.entry.kind !== 'text' || above.entry.kind !== 'text') return false;
  return row.entry.replyTo === null && row.at - above.at <= TOGETHER_MS;
}

/** By the clock and the calendar of this device. */
function sameDay(a: number, b: number): boolean {
  return new Date(a).toDateString() === new Date(b).toDateString();
}

function isFirstNew(entry: TimelineEntry, above: TimelineEntry | null, newAfter: number | null): boolean {
  if (newAfter === null || !('seq' in entry) || entry.seq <= newAfter) return false;
  // Without a row above, the first unread message may be further up.
  if (above === null) return entry.seq === newAfter + 1;
  return 'seq' in above && above.seq <= newAfter;
}
