/**
 * The rooms and people of the sidebar, in its order. Pure.
 *
 * What shows the same as before is the same object as before, so that a message redraws nothing
 * here unless a count, a name or an order has changed.
 */

import type { RoomKind } from '../data/wire/protocol';
import { countUnread, countUnreadMentions, type RoomState, type State } from '../data/state/state';
import { titleOf } from './naming';

export interface RoomEntry {
  readonly room: string;
  readonly kind: RoomKind;
  readonly title: string;
  /** The others in a direct room. */
  readonly people: readonly string[];
  /** Messages and mentions that are unread, as far as this person wants to be told of them. */
  readonly unread: number;
  readonly mentions: number;
  readonly isMuted: boolean;
  readonly isArchived: boolean;
  /** When the last message came that is known here; 0: none is. */
  readonly at: number;
}

export interface Listing {
  readonly rooms: readonly RoomEntry[];
  readonly people: readonly RoomEntry[];
  /** What the titles were made from. */
  readonly names: State['people'] | null;
  readonly language: string;
}

export const EMPTY_LISTING: Listing = { rooms: [], people: [], names: null, language: '' };

export const isUnread = (entry: RoomEntry): boolean => entry.unread > 0 || entry.mentions > 0;

/** The number on the badge: in a direct room everything is meant for me. */
export const badgeOf = (entry: RoomEntry): number =>
  entry.kind === 'direct' ? entry.unread || entry.mentions : entry.mentions;

/** From top to bottom, as the keys go. */
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

/** What was put away is listed only while it is on screen; threads have a list of their own. */
function isListed(room: RoomState, open: string | null): boolean {
  return room.parent === null && (room.room === open || !(room.archived || room.hidden));
}

export function listRooms(state: State, open: string | null, before: Listing = EMPTY_LISTING): Listing {
  const language = document.documentElement.lang;
  const keepsTitles = before.names === state.people && before.language === language;
  const known = new Map(inOrder(before).map((entry) => [entry.room, entry]));

  const entries: RoomEntry[] = [];
  // What stood in order first: sorting what is nearly sorted costs next to nothing.
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

  const byName = naming(language);
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
  // Rooms stand by title: when their last message came changes nothing.
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

function naming(language: string): (a: RoomEntry, b: RoomEntry) => number {
  const { compare } = new Intl.Collator(language || 'en', { numeric: true });
  return (a, b) => compare(a.title, b.title) || compare(a.room, b.room);
}
