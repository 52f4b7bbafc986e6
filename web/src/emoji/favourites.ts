/** The emoji that somebody reacts with most, on this device. */

import { storeItem, reactionsKey } from '../data/storage/local';

const OFFERED = ['👍', '❤️', '😂', '🎉', '😮', '😢', '🙏', '✅'];
/** Nobody uses more than these often. */
const COUNTED_MAX = 40;

function counts(user: string): Map<string, number> {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(reactionsKey(user)) ?? '[]');
    return new Map(stored as [string, number][]);
  } catch {
    // The stored value was damaged.
    return new Map();
  }
}

/** As many as the defaults; equally frequent ones keep their order. */
export function listFavourites(user: string): string[] {
  const used = counts(user);
  const often = (emoji: string) => used.get(emoji) ?? 0;
  return [...new Set([...OFFERED, ...used.keys()])]
    .sort((a, b) => often(b) - often(a))
    .slice(0, OFFERED.length);
}

export function countReaction(user: string, emoji: string): void {
  const used = counts(user);
  used.set(emoji, (used.get(emoji) ?? 0) + 1);
  const most = [...used].sort(([, a], [, b]) => b - a);
  // Keep the latest even if it is new, so that its count can grow.
  const stored = most.filter(([one], index) => index < COUNTED_MAX || one === emoji);
  storeItem(reactionsKey(user), JSON.stringify(stored));
}
