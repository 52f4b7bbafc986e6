/** Fetches what a timeline can be shown without at first. */

type Rare = typeof import('./deferred');

let here = $state.raw<Rare | null>(null);
let isAsked = false;

/** It, or null while it is on its way. */
export function rare(): Rare | null {
  if (!here) fetchRare();
  return here;
}

/** The same, without asking for it. */
export const rareIfHere = (): Rare | null => here;

function fetchRare(): void {
  if (isAsked) return;
  isAsked = true;
  import('./deferred').then(
    (module) => (here = module),
    // Without a network it may not be there; whoever needs it next asks again.
    () => (isAsked = false),
  );
}

/** Get it while there is nothing else to do, so that nobody has to wait for it. */
export function fetchWhenIdle(): void {
  if ('requestIdleCallback' in window) requestIdleCallback(fetchRare);
}
