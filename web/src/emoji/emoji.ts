/** The list of emoji, the search in it, and the recently used ones. */

import { storeItem } from '../data/storage/local';
import { language, type Language } from '../words/language.svelte';

export interface Emoji {
  readonly char: string;
  /** In the user's language. */
  readonly name: string;
  /** Without colons, the best known first. */
  readonly shortcodes: readonly string[];
  /** More search words, in the user's language. */
  readonly tags: readonly string[];
  /** Unicode's group by emojibase's number; `words().text.emojiGroups` has their names. */
  readonly group: number;
}

const RECENT_KEY = 'hubbub.emoji';
const RECENT_MAX = 16;

const NAMES: Record<Language, () => Promise<typeof import('virtual:emoji/en')>> = {
  en: () => import('virtual:emoji/en'),
  de: () => import('virtual:emoji/de'),
};

const lists = new Map<Language, Promise<readonly Emoji[]>>();

/** All emoji in Unicode's order. Fetched once per language, when first needed. */
export function loadEmoji(): Promise<readonly Emoji[]> {
  const { current } = language;
  const list = lists.get(current) ?? fetchEmoji(current);
  lists.set(current, list);
  // For example when offline: the next call tries again.
  list.catch(() => lists.delete(current));
  return list;
}

async function fetchEmoji(current: Language): Promise<readonly Emoji[]> {
  const [shared, named] = await Promise.all([import('virtual:emoji'), NAMES[current]()]);
  return shared.default.map(([char, group, shortcodes], index) => {
    const [name, tags] = named.default[index] ?? [char, ''];
    return { char, group, name, shortcodes: listed(shortcodes), tags: listed(tags) };
  });
}

const listed = (text: string): string[] => text.split(' ').filter(Boolean);

/** Finds what was typed after `:` or into the search field; the best first, at most `limit`. */
export function searchEmoji(list: readonly Emoji[], query: string, limit: number): Emoji[] {
  const wanted = fold(query);
  if (!wanted) return list.slice(0, limit);
  const ranks: Emoji[][] = [[], [], [], [], []];
  for (const emoji of list) {
    const rank = rankOf(emoji, wanted);
    if (rank !== null) ranks[rank]?.push(emoji);
  }
  return ranks.flat().slice(0, limit);
}

const fold = (text: string): string =>
  text.toLowerCase().replaceAll('_', ' ').replaceAll(':', '').trim();

function rankOf({ shortcodes, name, tags }: Emoji, wanted: string): number | null {
  const codes = shortcodes.map(fold);
  if (codes.includes(wanted)) return 0;
  if (codes.some((code) => code.startsWith(wanted))) return 1;
  // A word anywhere in the name: "hoch" finds "Daumen hoch".
  const called = ` ${fold(name)}`;
  if (called.includes(` ${wanted}`)) return 2;
  if (tags.some((tag) => fold(tag).startsWith(wanted))) return 3;
  return codes.some((code) => code.includes(wanted)) || called.includes(wanted) ? 4 : null;
}

/** The ones last used on this device, the newest first. */
export function recentEmoji(): string[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(RECENT_KEY) ?? '[]');
    return Array.isArray(stored) ? stored.filter((char) => typeof char === 'string') : [];
  } catch {
    // The stored value was damaged.
    return [];
  }
}

export function rememberEmoji(char: string): void {
  const recent = [char, ...recentEmoji().filter((other) => other !== char)];
  storeItem(RECENT_KEY, JSON.stringify(recent.slice(0, RECENT_MAX)));
}
