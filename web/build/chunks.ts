/**
 * Bundles modules that are always loaded together into one chunk, where the bundler would make many
 * small ones. Every chunk costs a request, compresses worse alone, and is named in each file that may
 * load it.
 */

import type { Rollup } from 'vite';

// The entry: what both the rooms and the sign-in page need.
const FIRST =
  /\/src\/(?:main|directory\/initials|app\/(?:errors|page\/layout\.svelte))\.ts$|\/lucide\/.*\/icons\/x\.mjs$/;
const CHAT = /\/src\/data\/chat\.ts$/;
const SVELTE = /\/node_modules\/(?:svelte|esm-env)\//;
// Parts of Svelte that only later views need; otherwise they would be in the first load.
const LATER = /\/bindings\/(?:input|select)\.js$|\/reactivity\/window\/|\/blocks\/(?:snippet|svelte-head)\.js$/;

// What the timeline loads when idle, and nearly every dialog needs as well.
const PARTS =
  /\/src\/parts\/(?:ConfirmDialog|Dialog|DialogForm|Empty|Menu|position)\.|\/src\/app\/page\/clipboard\.ts$|\/lucide\/.*\/icons\/(?:copy|trash)\.mjs$/;

// The views for finding and creating rooms, which lead to each other.
const BROWSE = /\/src\/views\/browse\/|\/src\/parts\/search\.|\/src\/words\/..\/browse\.ts$/;

// The lists from all rooms.
const GATHERED =
  /\/src\/views\/lists\/(?:MessageCard|Excerpt|UnreadFilter|ListPage)\.|\/src\/views\/lists\/(?:mentions|threads)\/[A-Za-z]+\.svelte|\/src\/views\/lists\/saved\/Saved\./;

// What messages show of threads, and the words of threads. These modules must not need anything outside
// of this chunk and those above, or loading it would load more.
const THREADS =
  /\/src\/views\/message\/(?:quotes|Replies|threadLink)\.|\/src\/views\/lists\/threads\/words\.ts$|\/src\/words\/..\/threads\.ts$|\/src\/time\/ago\./;

export function chunkOf(): Rollup.GetManualChunk {
  let first: Set<string> | null = null;
  let chat = new Set<string>();
  return (id, { getModuleIds, getModuleInfo }) => {
    const from = (which: RegExp) =>
      reached([...getModuleIds()].filter((one) => which.test(one)), (one) =>
        (getModuleInfo(one)?.importedIds ?? []).filter((other) => !other.includes('/node_modules/')),
      );
    if (!first) {
      first = from(FIRST);
      chat = from(CHAT);
    }
    if (first.has(id) || (SVELTE.test(id) && !LATER.test(id))) return 'index';
    if (chat.has(id)) return 'chat';
    if (PARTS.test(id)) return 'parts';
    if (GATHERED.test(id)) return 'gathered';
    if (THREADS.test(id)) return 'threads';
    return BROWSE.test(id) ? 'browse' : null;
  };
}

function reached(from: readonly string[], next: (id: string) => readonly string[]): Set<string> {
  const found = new Set(from);
  // A set also iterates over elements that are added during the loop.
  for (const id of found) for (const other of next(id)) found.add(other);
  return found;
}
