/** The keys that work everywhere; those of the timeline and the composer are theirs. */

import { dialogs } from './dialogs.svelte';

export function onKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing) return;
  const command = (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey;
  if (command && event.key === 'k') {
    event.preventDefault();
    if (dialogs.open === 'switcher') dialogs.close();
    else dialogs.show('switcher');
  } else if (command && event.key === '/') {
    event.preventDefault();
    dialogs.show('keys');
  }
}
