/** From a dialog into the room that it found or made. */

import { tick } from 'svelte';
import { dialogs, type DialogName } from '../../app/page/dialogs.svelte';
import { roomRoute, router } from '../../app/router.svelte';

/** Whoever has closed the dialog meanwhile, or opened another, stays where they are. */
export async function enterRoomFrom(dialog: DialogName, room: string): Promise<void> {
  if (dialogs.open !== dialog) return;
  dialogs.close();
  // The dialog gives the focus back first; then the room takes it.
  await tick();
  router.go(roomRoute(room));
}
