/** Goes from a dialog to the room that it found or created. */

import { tick } from 'svelte';
import { dialogs, type DialogName } from '../../app/page/dialogs.svelte';
import { roomRoute, router } from '../../app/router.svelte';

/** Does nothing if the user has closed the dialog in the meantime, or opened another. */
export async function enterRoomFrom(dialog: DialogName, room: string): Promise<void> {
  if (dialogs.open !== dialog) return;
  dialogs.close();
  // The dialog restores the focus first; then the room takes it.
  await tick();
  router.go(roomRoute(room));
}
