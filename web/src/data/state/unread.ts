/** What is unread: how posts, markers and mentions are counted. All pure. */

import type { MyRoom } from '../wire/protocol';
import { findMessage, type Message, type RoomState } from './state';

const ALL: ReadonlySet<string> = new Set(['@room', '@here']);

/** By name, or as one of everybody. Whoever receives an `@here` live is meant by it. */
export function mentionsMe(message: Message | null, me: string): boolean {
  if (message === null || message.deleted || message.by === me) return false;
  return message.mentions.some((name) => name === me || ALL.has(name));
}

/**
 * Counts a message before it is stored.
 *
 * Posting moves the user's own marker only if everything before was read. This is the server's rule,
 * applied here to any order of arrival.
 */
export function countMessage(room: RoomState, message: Message, me: string | null): RoomState {
  if (me === null) return room;
  if (message.seq > room.countedSeq && !room.counted.has(message.seq)) {
    return countNewMessage(withCounted(room, message.seq), message, me);
  }
  const before = findMessage(room, message.seq);
  if (!before || before.rev >= message.rev || message.seq <= room.readSeq) return room;
  return withMentions(room, Number(mentionsMe(message, me)) - Number(mentionsMe(before, me)));
}

function countNewMessage(room: RoomState, message: Message, me: string): RoomState {
  if (message.by === me) {
    return moveOverOwn({ ...room, ownSeqs: new Set(room.ownSeqs).add(message.seq) });
  }
  if (message.seq <= room.readSeq) return room;
  return withMentions(room, Number(mentionsMe(message, me)));
}

function withMentions(room: RoomState, more: number): RoomState {
  return more === 0 ? room : { ...room, mentions: Math.max(0, room.mentions + more) };
}

function withCounted(room: RoomState, seq: number): RoomState {
  if (seq !== room.countedSeq + 1) return { ...room, counted: new Set(room.counted).add(seq) };
  if (room.counted.size === 0) return { ...room, countedSeq: seq };
  let countedSeq = seq;
  while (room.counted.has(countedSeq + 1)) countedSeq += 1;
  const counted = new Set([...room.counted].filter((above) => above > countedSeq));
  return { ...room, countedSeq, counted };
}

function moveOverOwn(room: RoomState): RoomState {
  if (!room.ownSeqs.has(room.readSeq + 1)) return room;
  const ownSeqs = new Set(room.ownSeqs);
  let { readSeq } = room;
  while (ownSeqs.delete(readSeq + 1)) readSeq += 1;
  return { ...room, readSeq, ownSeqs };
}

/** Applies the user's marker as the server sent it, when it knew of posts up to `seq`. */
export function withMarker(
  room: RoomState,
  marker: { readSeq: number; mentions: number; seq: number },
  me: string | null,
): RoomState {
  const updated: RoomState = {
    ...room,
    readSeq: marker.readSeq,
    mentions: marker.mentions,
    countedSeq: Math.max(marker.seq, marker.readSeq),
    counted: new Set(),
    ownSeqs: new Set(),
    sentRead: room.sentRead !== null && room.sentRead > marker.readSeq ? room.sentRead : null,
  };
  if (me === null || room.seq <= marker.seq) return updated;
  return recount(updated, marker.seq, me);
}

/** Posts above `seq` arrived while the marker was under way: count them again. */
function recount(room: RoomState, seq: number, me: string): RoomState {
  const later = [...room.live.messages, ...room.outOfOrder.values()]
    .filter((message) => message.seq > seq)
    .sort((a, b) => a.seq - b.seq);
  return later.reduce((counted, message) => {
    const known = message.seq <= counted.countedSeq || counted.counted.has(message.seq);
    return known ? counted : countNewMessage(withCounted(counted, message.seq), message, me);
  }, room);
}

/** The user has read up to here; the server will be informed. */
export function markRead(room: RoomState, seq: number): RoomState {
  const caughtUp = seq >= room.seq;
  return { ...room, sentRead: seq, mentions: caughtUp ? 0 : room.mentions };
}

/** Marks as unread from here on; the server will be informed. */
export function markUnreadFrom(room: RoomState, seq: number): RoomState {
  const readSeq = Math.max(0, seq - 1);
  return { ...room, readSeq, sentRead: null, ownSeqs: new Set() };
}

export function toMarker(wire: MyRoom): { readSeq: number; mentions: number; seq: number } {
  return { readSeq: wire.read_seq ?? 0, mentions: wire.mentions ?? 0, seq: wire.seq ?? 0 };
}
