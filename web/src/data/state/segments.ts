/** How a room's messages are kept: the latest, a detached range, and those out of order. All pure. */

import {
  NO_MESSAGES,
  findMessage,
  newest,
  withMarks,
  type Marks,
  type Message,
  type RoomState,
  type Segment,
} from './state';

/** The most messages kept (and so rows mounted) in a room on screen, and in any other. */
export const KEPT_OPEN = 300;
export const KEPT_CLOSED = 100;

/** The most messages whose marks may wait for them. */
export const EARLY_MARKS_MAX = 1_000;

function lastSeq(segment: Segment): number | null {
  return segment.messages.at(-1)?.seq ?? (segment.start ? 0 : null);
}

function indexOf(segment: Segment, seq: number): number {
  let low = 0;
  let high = segment.messages.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const at = segment.messages[middle]?.seq ?? 0;
    if (at === seq) return middle;
    if (at < seq) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

/** Replaces a message by a newer state. Returns the same segment if nothing changes. */
function replaceMessage(segment: Segment, message: Message): Segment {
  const index = indexOf(segment, message.seq);
  const known = segment.messages[index];
  if (!known) return segment;
  const after = newest(known, message);
  return after === known ? segment : { ...segment, messages: segment.messages.with(index, after) };
}

function hasMessage(segment: Segment, seq: number): boolean {
  return indexOf(segment, seq) >= 0;
}

/** A message from the server, merged with newer states that arrived before it. */
export function withKnownState(room: RoomState, message: Message): Message {
  return withMarks(newest(room.outOfOrder.get(message.seq), message), room.earlyMarks.get(message.seq));
}

/** Puts a message in its present state where it belongs. */
export function placeMessage(room: RoomState, arrived: Message): RoomState {
  const message = withKnownState(room, arrived);
  const detachedRange = room.detachedRange && replaceMessage(room.detachedRange, message);
  const next = detachedRange === room.detachedRange ? room : { ...room, detachedRange };
  if (hasMessage(room.live, message.seq)) {
    const live = replaceMessage(room.live, message);
    return live === room.live ? next : { ...next, live };
  }
  const last = lastSeq(room.live);
  if (last !== null && message.seq === last + 1) return append(next, message);
  const isAhead = last === null || message.seq > last;
  // A page under way may have been read before this change, so keep the change until the page arrives.
  if (!isAhead && room.loading === 0) return next;
  if (room.outOfOrder.get(message.seq) === message) return next;
  return { ...next, outOfOrder: new Map(room.outOfOrder).set(message.seq, message) };
}

/**
 * Puts marks on their message. If the message itself may still arrive in an older state, from behind a
 * gap or with a page under way, the marks wait for it. Null: too many are waiting, so a sync is needed.
 */
export function placeMarks(room: RoomState, seq: number, marks: Marks): RoomState | null {
  const known = findMessage(room, seq);
  if (known) return placeMessage(room, withMarks(known, marks));
  const mayCome = room.have === null || marks.rev > room.have + 1 || room.loading > 0;
  const waiting = room.earlyMarks.get(seq);
  if (!mayCome || (waiting && waiting.rev >= marks.rev)) return room;
  if (!waiting && room.earlyMarks.size >= EARLY_MARKS_MAX) return null;
  return { ...room, earlyMarks: new Map(room.earlyMarks).set(seq, marks) };
}

/** Marks that messages still to arrive may lack. */
export function pendingEarlyMarks({ earlyMarks, have, loading }: RoomState): RoomState['earlyMarks'] {
  if (earlyMarks.size === 0 || loading > 0) return earlyMarks;
  return new Map([...earlyMarks].filter(([, marks]) => marks.rev > (have ?? 0)));
}

function append(room: RoomState, message: Message): RoomState {
  const added = [message];
  if (room.outOfOrder.size === 0) return appendLive(room, added, room.outOfOrder);
  const outOfOrder = new Map(room.outOfOrder);
  outOfOrder.delete(message.seq);
  for (let seq = message.seq + 1; outOfOrder.has(seq); seq += 1) {
    added.push(outOfOrder.get(seq) as Message);
    outOfOrder.delete(seq);
  }
  return appendLive(room, added, outOfOrder);
}

function appendLive(
  room: RoomState,
  added: readonly Message[],
  outOfOrder: RoomState['outOfOrder'],
): RoomState {
  const live = { ...room.live, messages: [...room.live.messages, ...added] };
  return { ...room, live, outOfOrder };
}

/**
 * All changes of the room have arrived, so messages that waited behind a gap are appended.
 *
 * After a reset the page that arrived becomes the new content: the contiguous messages at its end.
 */
export function appendWaiting(room: RoomState): RoomState {
  const last = lastSeq(room.live);
  const waiting = [...room.outOfOrder.values()].sort((a, b) => a.seq - b.seq);
  if (last === null) {
    const run = contiguousEnd(waiting);
    const start = room.seq === 0 || run[0]?.seq === 1;
    return { ...room, live: { messages: run, start }, outOfOrder: remainingOutOfOrder(room, waiting) };
  }
  const added = waiting.filter((message) => message.seq > last);
  if (added.length === 0) return { ...room, outOfOrder: remainingOutOfOrder(room, waiting) };
  return appendLive(room, added, remainingOutOfOrder(room, waiting));
}

function contiguousEnd(sorted: readonly Message[]): Message[] {
  let from = sorted.length - 1;
  while (from > 0 && sorted[from - 1]?.seq === (sorted[from]?.seq ?? 0) - 1) from -= 1;
  return sorted.slice(Math.max(from, 0));
}

function remainingOutOfOrder(room: RoomState, waiting: readonly Message[]): RoomState['outOfOrder'] {
  if (room.loading === 0) return new Map();
  return new Map(waiting.map((message) => [message.seq, message]));
}

/**
 * Drops messages far from where the user is reading. `following` is set only if the room is on screen.
 */
export function trim(full: RoomState, following: boolean | undefined): RoomState {
  const isOpen = following !== undefined;
  // A page requested while the room was open may arrive after it was closed.
  const room = isOpen ? full : leaveDetachedRange(full);
  const limit = isOpen && room.detachedRange === null ? KEPT_OPEN : KEPT_CLOSED;
  const { messages } = room.live;
  // Some slack, so that not every new message copies the list.
  if (messages.length <= limit + (limit >> 3)) return room;
  const live = { messages: messages.slice(-limit), start: false };
  if (!isOpen || following || room.detachedRange !== null) return { ...room, live };
  // The user is reading further up: keep that part as a detached range.
  const detachedRange = { ...room.live, messages: messages.slice(0, KEPT_OPEN) };
  return { ...room, detachedRange, live: { ...live, messages: messages.slice(-KEPT_CLOSED) } };
}

export type Where = 'before' | 'after' | 'around' | 'latest';

/** Adds a page of history. `start` says that the room has nothing before it. */
export function addPage(
  room: RoomState,
  page: readonly Message[],
  where: Where,
  start: boolean,
): RoomState {
  const fresh = page.map((message) => withKnownState(room, message)).sort((a, b) => a.seq - b.seq);
  const settled = withoutPage(room);
  if (where === 'before') return prepend(settled, fresh, start);
  if (where === 'after') return extend(settled, fresh);
  const segment = { messages: fresh, start };
  const joined = joinLive(settled, segment);
  // If the page were joined to a long live segment, its far end might be trimmed again, so keep it
  // detached.
  const fits = fresh.length + settled.live.messages.length <= KEPT_OPEN;
  if (joined && (where === 'latest' || fits)) return joined;
  if (where === 'latest') return { ...settled, live: segment, detachedRange: null };
  return { ...settled, detachedRange: segment };
}

function outOfOrderAfterPage(room: RoomState): RoomState['outOfOrder'] {
  if (room.loading > 0 || room.outOfOrder.size === 0) return room.outOfOrder;
  const last = lastSeq(room.live);
  return new Map([...room.outOfOrder].filter(([seq]) => last === null || seq > last));
}

/** A page of history will not arrive. */
export function withoutPage(room: RoomState): RoomState {
  const next = { ...room, loading: Math.max(0, room.loading - 1) };
  return { ...next, outOfOrder: outOfOrderAfterPage(next), earlyMarks: pendingEarlyMarks(next) };
}

function prepend(room: RoomState, page: readonly Message[], start: boolean): RoomState {
  const segment = room.detachedRange ?? room.live;
  const first = segment.messages[0]?.seq ?? Infinity;
  const older = page.filter((message) => message.seq < first);
  // The user has moved elsewhere since the request; here the page would leave a gap.
  if (older.length > 0 && older.at(-1)?.seq !== first - 1) return room;
  const messages = [...older, ...segment.messages];
  const grown: Segment = { messages: messages.slice(0, KEPT_OPEN), start };
  if (room.detachedRange === null && messages.length <= KEPT_OPEN) return { ...room, live: grown };
  if (room.detachedRange !== null) return { ...room, detachedRange: grown };
  const live = { messages: room.live.messages.slice(-KEPT_CLOSED), start: false };
  return { ...room, detachedRange: grown, live };
}

function extend(room: RoomState, page: readonly Message[]): RoomState {
  if (room.detachedRange === null) return room;
  const last = room.detachedRange.messages.at(-1)?.seq ?? 0;
  const newer = page.filter((message) => message.seq > last);
  // As in `prepend`.
  if (newer.length > 0 && newer[0]?.seq !== last + 1) return room;
  const messages = [...room.detachedRange.messages, ...newer];
  const grown = { ...room.detachedRange, messages };
  return joinLive(room, grown) ?? { ...room, detachedRange: keepEnd(grown) };
}

function keepEnd(segment: Segment): Segment {
  if (segment.messages.length <= KEPT_OPEN) return segment;
  return { messages: segment.messages.slice(-KEPT_OPEN), start: false };
}

/** Joins the segment with the latest messages if it reaches them; null otherwise. */
function joinLive(room: RoomState, segment: Segment): RoomState | null {
  const first = segment.messages[0]?.seq;
  const last = segment.messages.at(-1)?.seq;
  const liveFirst = room.live.messages[0]?.seq;
  if (first === undefined || last === undefined || liveFirst === undefined) return null;
  if (last + 1 < liveFirst) return null;
  const older = segment.messages.filter((message) => message.seq < liveFirst);
  const newer = segment.messages.filter((message) => message.seq >= liveFirst);
  let { live } = room;
  for (const message of newer) live = replaceMessage(live, message);
  const start = first <= liveFirst ? segment.start : live.start;
  const merged = { messages: [...older, ...live.messages], start };
  return { ...room, detachedRange: null, live: keepEnd(merged) };
}

/** Joins the detached range with the latest messages if they are adjacent; null otherwise. */
export function joinDetachedRange(room: RoomState): RoomState | null {
  return room.detachedRange && joinLive(room, room.detachedRange);
}

/** Back to the latest messages. */
export function leaveDetachedRange(room: RoomState): RoomState {
  return room.detachedRange === null ? room : { ...room, detachedRange: null };
}

/** Discards all messages of the room. */
export function withoutMessages(room: RoomState): RoomState {
  return {
    ...room,
    live: NO_MESSAGES,
    detachedRange: null,
    outOfOrder: new Map(),
    earlyMarks: new Map(),
    ahead: new Set(),
    have: null,
  };
}
