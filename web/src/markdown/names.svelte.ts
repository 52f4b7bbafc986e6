/** What the people and rooms that a text names are called. Each is looked up once, by one who asks. */

import { titleOf } from '../directory/naming';
import { session } from '../app/session/session.svelte';
import { displayName, type State } from '../data/state/state';
import type { Keys } from './parsing/plain';

interface ResolvedName {
  /** Null: as it was typed. */
  text: string | null;
  /** Me, or everybody. */
  isMe: boolean;
  /** Of a person. */
  title: string | undefined;
  /** Of a room. */
  href: string | undefined;
}

/** By keys; what is not among them is text like any other. */
export type Names = ReadonlyMap<string, ResolvedName>;

const NO_NAMES: Names = new Map();

/** To be made while a component is set up. What nothing is called anew is the same object again. */
export function resolveNames(keys: () => Keys | undefined, mentions: () => readonly string[] | undefined) {
  let before = NO_NAMES;
  const names = $derived.by(() => {
    // Most texts name nobody, and need not follow what changes elsewhere.
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
