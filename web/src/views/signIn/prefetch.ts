/** Loads the chat while somebody is typing in the sign-in form. */
export function prefetchChat(): void {
  // If it fails, it is loaded again when it is needed, and the error is shown then.
  import('../../Shell.svelte').catch(() => undefined);
  import('../../data/chat').catch(() => undefined);
}
