/** The members of a room as a sorted list. */

import type { Person, Presence, RoomRole } from '../../data/wire/protocol';

export interface MemberRow {
  name: string;
  shown: string;
  role: RoomRole;
  /** Null in rooms without individual presence. */
  presence: Presence | null;
}

/** Larger rooms have no individual presence, only the numbers of members and of people online. */
export const LARGE = 200;

const RANK: Record<Presence, number> = { online: 0, away: 1, offline: 2 };

interface Known {
  people: ReadonlyMap<string, Person>;
  /** Null in a large room. */
  presence: ReadonlyMap<string, Presence> | null;
  /** The user is online, whatever the last event said. */
  me: string | null;
  locale: string;
}

/** Online before away before offline, then by name. */
export function toMemberRows(roles: Iterable<readonly [string, RoomRole]>, known: Known): MemberRow[] {
  const { people, presence, me, locale } = known;
  const rows = Array.from(roles, ([name, role]): MemberRow => {
    const status = presence?.get(name) ?? (name === me ? 'online' : 'offline');
    return {
      name,
      shown: people.get(name)?.display_name ?? name,
      role,
      presence: presence && status,
    };
  });
  const { compare } = new Intl.Collator(locale, { numeric: true });
  const rank = (row: MemberRow) => (row.presence ? RANK[row.presence] : 0);
  return rows.sort(
    (a, b) => rank(a) - rank(b) || compare(a.shown, b.shown) || compare(a.name, b.name),
  );
}

/** Without case and accents, with or without the @. */
function folded(text: string): string {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
}

export function filterMembers(rows: readonly MemberRow[], wanted: string): readonly MemberRow[] {
  const part = folded(wanted.trim().replace(/^@/u, ''));
  if (part === '') return rows;
  return rows.filter((row) => folded(row.shown).includes(part) || folded(row.name).includes(part));
}
