/** Fetches what a timeline can be shown without at first. */

type Deferred = typeof import('./deferred');

let loaded = $state.raw<Deferred | null>(null);
let isAsked = false;

/** It, or null while it is on its way. */
export function deferred(): Deferred | null {
  if (!loaded) loadDeferred();
  return loaded;
}

/** The same, without asking for it. */
export const deferredIfLoaded = (): Deferred | null => loaded;

function loadDeferred(): void {
  if (isAsked) return;
  isAsked = true;
  import('./deferred').then(
    (module) => (loaded = module),
    // Without a network it may not be there; whoever needs it next asks again.
    () => (isAsked = false),
  );
}

/** Get it while there is nothing else to do, so that nobody has to wait for it. */
export function fetchWhenIdle(): void {
  if ('requestIdleCallback' in window) requestIdleCallback(loadDeferred);
}
