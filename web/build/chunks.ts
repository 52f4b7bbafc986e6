/**
 * Puts into one file what would be many small ones by the bundler's own rule, and is always fetched
 * together: each costs a request, packs worse alone, and is named by the file that may load it.
 */

import type { Rollup } from 'vite';

// What the rooms and the door begin with.
const FIRST =
  /\/src\/(?:main|directory\/initials|app\/(?:errors|page\/layout\.svelte))\.ts$|\/lucide\/.*\/icons\/x\.mjs$/;
const CHAT = /\/src\/data\/chat\.ts$/;
const SVELTE = /\/node_modules\/(?:svelte|esm-env)\//;
// Of Svelte, what only views need that come later: each of these would else be in the first load.
const LATER = /\/bindings\/(?:input|select)\.js$|\/reactivity\/window\/|\/blocks\/(?:snippet|svelte-head)\.js$/;

// What the timeline gets as soon as there is time, and nearly every dialog has as well.
const PARTS =
  /\/src\/parts\/(?:ConfirmDialog|Dialog|DialogForm|Empty|Menu|position)\.|\/src\/app\/page\/clipboard\.ts$|\/lucide\/.*\/icons\/(?:copy|trash)\.mjs$/;

// The ways to find and to make rooms, which lead to each other.
const BROWSE = /\/src\/views\/browse\/|\/src\/parts\/search\.|\/src\/words\/..\/browse\.ts$/;

// The pages of what is gathered from all rooms.
const GATHERED =
  /\/src\/views\/lists\/(?:MessageCard|Excerpt|UnreadFilter|ListPage)\.|\/src\/views\/lists\/(?:mentions|threads)\/[A-Za-z]+\.svelte|\/src\/views\/lists\/saved\/Saved\./;

// What the timeline says of threads, and a thread of itself. None of these needs anything that is
// not in here or above, or else the file would need one that needs it.
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
  // A set goes on to what is added while it is gone through.
  for (const id of found) for (const other of next(id)) found.add(other);
  return found;
}
