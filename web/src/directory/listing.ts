/**
 * The rooms and people of the sidebar, in order. Pure.
 *
 * Unchanged entries keep their identity, so a new message redraws nothing here unless a count, a name
 * or the order has changed.
 */

import type { RoomKind } from '../data/wire/protocol';
import { countUnread, countUnreadMentions, type RoomState, type State } from '../data/state/state';
import { titleOf } from './naming';

export interface RoomEntry {
  readonly room: string;
  readonly kind: RoomKind;
  readonly title: string;
  /** The other people in a direct room. */
  readonly people: readonly string[];
  /** Unread messages and mentions, as far as this person wants to be notified of them. */
  readonly unread: number;
  readonly mentions: number;
  readonly isMuted: boolean;
  readonly isArchived: boolean;
  /** The time of the last message that is known here; 0: none. */
  readonly at: number;
}

export interface Listing {
  readonly rooms: readonly RoomEntry[];
  readonly people: readonly RoomEntry[];
  /** What the titles were derived from. */
  readonly names: State['people'] | null;
  readonly language: string;
}

export const EMPTY_LISTING: Listing = { rooms: [], people: [], names: null, language: '' };

export const isUnread = (entry: RoomEntry): boolean => entry.unread > 0 || entry.mentions > 0;

/** The number on the badge. In a direct room every message counts. */
export const badgeOf = (entry: RoomEntry): number =>
  entry.kind === 'direct' ? entry.unread || entry.mentions : entry.mentions;

/** From top to bottom, as the shortcuts go. */
export const inOrder = ({ rooms, people }: Listing): RoomEntry[] => [...rooms, ...people];

export function entryOf(state: State, room: RoomState, title = titleOf(state, room)): RoomEntry {
  return {
    room: room.room,
    kind: room.kind,
    title,
    people: room.people,
    unread: room.notify === 'all' ? countUnread(room) : 0,
    mentions: room.notify === 'none' ? 0 : countUnreadMentions(room),
    isMuted: room.notify === 'none',
    isArchived: room.archived,
    at: room.live.messages.at(-1)?.at ?? 0,
  };
}

/** Hidden and archived rooms are listed only while they are open; threads have a list of their own. */
function isListed(room: RoomState, open: string | null): boolean {
  return room.parent === null && (room.room === open || !(room.archived || room.hidden));
}

export function listRooms(state: State, open: string | null, before: Listing = EMPTY_LISTING): Listing {
  const language = document.documentElement.lang;
  const keepsTitles = before.names === state.people && before.language === language;
  const known = new Map(inOrder(before).map((entry) => [entry.room, entry]));

  const entries: RoomEntry[] = [];
  // In the previous order, since sorting an almost sorted list is cheap.
  for (const name of new Set([...known.keys(), ...state.rooms.keys()])) {
    const room = state.rooms.get(name);
    if (!room || !isListed(room, open)) continue;
    const last = known.get(name);
    const title = keepsTitles && last?.people === room.people && room.kind === 'direct';
    const entry = entryOf(state, room, title ? last.title : titleOf(state, room));
    entries.push(last && isSame(last, entry) ? last : entry);
  }
  const isUnchanged =
    entries.length === known.size && entries.every((entry) => known.get(entry.room) === entry);
  if (isUnchanged && keepsTitles) return before;

  const byName = titleOrder(language);
  return {
    rooms: entries.filter(({ kind }) => kind !== 'direct').sort(byName),
    people: entries
      .filter(({ kind }) => kind === 'direct')
      .sort((a, b) => Number(isUnread(b)) - Number(isUnread(a)) || b.at - a.at || byName(a, b)),
    names: state.people,
    language,
  };
}

function isSame(a: RoomEntry, b: RoomEntry): boolean {
  // Rooms are ordered by title, so the time of their last message changes nothing.
  if (a.kind === 'direct' && a.at !== b.at) return false;
  return (
    a.kind === b.kind &&
    a.title === b.title &&
    a.people === b.people &&
    a.unread === b.unread &&
    a.mentions === b.mentions &&
    a.isMuted === b.isMuted &&
    a.isArchived === b.isArchived
  );
}

function titleOrder(language: string): (a: RoomEntry, b: RoomEntry) => number {
  const { compare } = new Intl.Collator(language || 'en', { numeric: true });
  return (a, b) => compare(a.title, b.title) || compare(a.room, b.room);
}
