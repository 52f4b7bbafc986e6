/** While somebody types at the door, what comes behind it is fetched. */
export function prefetchChat(): void {
  // What does not come now is asked for again, and missed, when it is needed.
  import('../../Shell.svelte').catch(() => undefined);
  import('../../data/chat').catch(() => undefined);
}
