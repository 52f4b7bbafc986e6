/** The names of the people and rooms that a text mentions. Each is looked up once per text. */

import { titleOf } from '../directory/naming';
import { session } from '../app/session/session.svelte';
import { displayName, type State } from '../data/state/state';
import type { Keys } from './parsing/plain';

interface ResolvedName {
  /** Null: as typed. */
  text: string | null;
  /** The user, or everybody. */
  isMe: boolean;
  /** Only for people. */
  title: string | undefined;
  /** Only for rooms. */
  href: string | undefined;
}

/** By key; mentions that are not in the map are plain text. */
export type Names = ReadonlyMap<string, ResolvedName>;

const NO_NAMES: Names = new Map();

/** Call it during component initialisation. The map keeps its identity while no name changes. */
export function resolveNames(keys: () => Keys | undefined, mentions: () => readonly string[] | undefined) {
  let before = NO_NAMES;
  const names = $derived.by(() => {
    // Most texts mention nobody and need not depend on the state.
    const wanted = keys();
    if (!wanted?.size) return NO_NAMES;
    const now = resolveAll(wanted, session.state, new Set(mentions()));
    if (!isSame(now, before)) before = now;
    return before;
  });
  return {
    get names() {
      return names;
    },
  };
}

function resolveAll(keys: Keys, state: State, mentions: ReadonlySet<string>): Names {
  const names = new Map<string, ResolvedName>();
  for (const key of keys) {
    const resolved = resolveName(key, key.slice(1), state, mentions);
    if (resolved) names.set(key, resolved);
  }
  return names;
}

function resolveName(
  key: string,
  name: string,
  state: State,
  mentions: ReadonlySet<string>,
): ResolvedName | null {
  if (key[0] === '#') {
    const room = state.rooms.get(name);
    if (!room) return null;
    return { text: `#${titleOf(state, room)}`, isMe: false, title: undefined, href: `/rooms/${name}` };
  }
  if (mentions.has(key)) return { text: null, isMe: true, title: undefined, href: undefined };
  if (!mentions.has(name) && !state.people.has(name)) return null;
  const text = `@${displayName(state, name)}`;
  return { text, isMe: name === state.me?.name, title: key, href: undefined };
}

function isSame(now: Names, before: Names): boolean {
  if (now.size !== before.size) return false;
  return [...now].every(([key, { text, isMe }]) => {
    const known = before.get(key);
    return known?.text === text && known.isMe === isMe;
  });
}
