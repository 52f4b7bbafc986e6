/**
 * What both who is in and who is at the door begin with: one file. The bundler would make a second
 * one of what their views share, which is always fetched too, and packs worse.
 */

import type { Rollup } from 'vite';

const ENTRY = /\/src\/main\.ts$/;
const SHARED = /\/src\/app\/(?:initials|layout\.svelte|trouble)\.ts$|\/lucide\/.*\/icons\/x\.mjs$/;
const SVELTE = /\/node_modules\/(?:svelte|esm-env)\//;
// Of Svelte, what only views need that come later: each of these would else be in the first load.
const LATER = /\/bindings\/(?:input|select)\.js$|\/reactivity\/window\/|\/blocks\/(?:snippet|svelte-head)\.js$/;

export function firstChunk(): Rollup.GetManualChunk {
  let first: Set<string> | null = null;
  return (id, { getModuleIds, getModuleInfo }) => {
    first ??= reached([...getModuleIds()].filter((one) => ENTRY.test(one) || SHARED.test(one)), (one) =>
      (getModuleInfo(one)?.importedIds ?? []).filter((other) => !other.includes('/node_modules/')),
    );
    return first.has(id) || (SVELTE.test(id) && !LATER.test(id)) ? 'index' : null;
  };
}

function reached(from: readonly string[], next: (id: string) => readonly string[]): Set<string> {
  const found = new Set(from);
  // A set goes on to what is added while it is gone through.
  for (const id of found) for (const other of next(id)) found.add(other);
  return found;
}
