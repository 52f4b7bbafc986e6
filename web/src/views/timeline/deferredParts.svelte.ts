/** Loads the deferred parts of the timeline. */

type Deferred = typeof import('./deferred');

let loaded = $state.raw<Deferred | null>(null);
let isAsked = false;

/** Starts loading if necessary; null until they are loaded. */
export function deferred(): Deferred | null {
  if (!loaded) loadDeferred();
  return loaded;
}

/** The same without loading them. */
export const deferredIfLoaded = (): Deferred | null => loaded;

function loadDeferred(): void {
  if (isAsked) return;
  isAsked = true;
  import('./deferred').then(
    (module) => (loaded = module),
    // Offline: the next caller tries again.
    () => (isAsked = false),
  );
}

/** Loads them while the browser is idle, so that nobody has to wait. */
export function fetchWhenIdle(): void {
  if ('requestIdleCallback' in window) requestIdleCallback(loadDeferred);
}
