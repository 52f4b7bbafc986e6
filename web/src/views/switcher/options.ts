/** The options of the switcher: the user's own rooms that match, and what the server found. Pure. */

import { fuzzy, type Match } from '../../directory/fuzzy';
import { entryOf, isUnread, type RoomEntry } from '../../directory/listing';
import type { Person, Room } from '../../data/wire/protocol';
import type { State } from '../../data/state/state';

export type Option = { key: string; title: string; match: Match } & (
  | { kind: 'mine'; entry: RoomEntry }
  | { kind: 'join'; room: Room }
  | { kind: 'person'; person: Person }
);

export interface Group {
  name: 'recent' | 'yours' | 'toJoin' | 'others';
  options: Option[];
}

export interface Found {
  rooms: readonly Room[];
  people: readonly Person[];
}

const AT_MOST = 50;
const PLAIN: Match = { score: 0, spans: [] };
/** Recent rooms rank before others that match equally well, hidden ones after them. */
const RECENT_BONUS = 40;
const UNREAD_BONUS = 20;
const AWAY_PENALTY = 200;

const mine = (entry: RoomEntry, match: Match): Option => ({
  key: entry.room,
  kind: 'mine',
  title: entry.title,
  entry,
  match,
});

/** Before anything is typed: recent rooms, then unread ones, then the rest. */
export function listDefaults(state: State, recent: readonly string[], open: string | null): Group[] {
  const entries = [...state.rooms.values()]
    .filter((room) => room.room !== open && !room.hidden && !room.archived && !room.parent)
    .map((room) => entryOf(state, room));
  const byRoom = new Map(entries.map((entry) => [entry.room, entry]));
  const lately = recent.slice(0, 6).flatMap((room) => byRoom.get(room) ?? []);
  const rest = entries
    .filter((entry) => !lately.includes(entry))
    .sort((a, b) => Number(isUnread(b)) - Number(isUnread(a)) || a.title.localeCompare(b.title));
  return groups({
    recent: lately.map((entry) => mine(entry, PLAIN)),
    yours: rest.slice(0, AT_MOST).map((entry) => mine(entry, PLAIN)),
  });
}

export function findMatching(
  state: State,
  typed: string,
  recent: readonly string[],
  found: Found,
): Group[] {
  const yours: Option[] = [];
  for (const room of state.rooms.values()) {
    if (room.parent) continue;
    const entry = entryOf(state, room);
    const match = fuzzy(entry.title, typed) ?? hiddenMatch(entry, typed);
    if (match) yours.push(mine(entry, { ...match, score: match.score + bonus(entry, recent) }));
  }
  yours.sort((a, b) => b.match.score - a.match.score || a.title.localeCompare(b.title));

  // People with whom the user has a conversation are already listed.
  const alone = yours.flatMap((option) =>
    option.kind === 'mine' && option.entry.people.length === 1 ? option.entry.people : [],
  );
  const others = found.people.filter(
    ({ name, disabled }) => !disabled && name !== state.me?.name && !alone.includes(name),
  );
  const toJoin = found.rooms.filter(({ room }) => !state.rooms.has(room));
  return groups({
    yours: yours.slice(0, AT_MOST),
    others: others.map((person) => ({
      key: `@${person.name}`,
      kind: 'person',
      title: person.display_name,
      person,
      match: fuzzy(person.display_name, typed) ?? PLAIN,
    })),
    toJoin: toJoin.map((room) => ({
      key: room.room,
      kind: 'join',
      title: room.title,
      room,
      match: fuzzy(room.title, typed) ?? PLAIN,
    })),
  });
}

/** By a handle or the room's id, neither of which is visible in the title. */
function hiddenMatch(entry: RoomEntry, typed: string): Match | null {
  const names = entry.kind === 'direct' ? entry.people : entry.kind === 'public' ? [entry.room] : [];
  const matches = names.flatMap((name) => fuzzy(name, typed) ?? []);
  const best = Math.max(...matches.map(({ score }) => score));
  return matches.length > 0 ? { score: best, spans: [] } : null;
}

function bonus(entry: RoomEntry, recent: readonly string[]): number {
  const at = recent.indexOf(entry.room);
  return (
    (at < 0 ? 0 : RECENT_BONUS - at) +
    (isUnread(entry) ? UNREAD_BONUS : 0) -
    (entry.isArchived ? AWAY_PENALTY : 0)
  );
}

function groups(options: Partial<Record<Group['name'], Option[]>>): Group[] {
  return Object.entries(options)
    .filter(([, list]) => list.length > 0)
    .map(([name, list]) => ({ name: name as Group['name'], options: list }));
}
