/** For what nobody waits for. */

/** Run it when the browser has nothing else to do. Safari has no idle callbacks. */
export function whenIdle(run: () => void): void {
  if ('requestIdleCallback' in globalThis) requestIdleCallback(run, { timeout: 2_000 });
  else setTimeout(run, 2_000);
}
