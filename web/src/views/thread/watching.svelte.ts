/** Receives the events of a thread on screen, whether or not the user follows it. */

import { session } from '../../app/session/session.svelte';
import { explain } from '../../app/errors';
import { startThread, unwatchThread, watchThread } from '../../data/threadRequests';
import { Disconnected } from '../../data/wire/errors';
import type { RoomState } from '../../data/state/state';
import type { Root } from './root.svelte';

interface Watched {
  name: string;
  home: () => RoomState;
  room: () => RoomState | null;
  root: Root;
}

/** Create it during component initialisation; it lives as long as the component. */
export class Watching {
  problem = $state('');

  constructor({ name, home, room, root }: Watched) {
    const isOnline = $derived(session.connection.status === 'online');
    const replies = $derived(root.message?.marks.replies ?? 0);
    const isThere = $derived(replies > 0 || (room()?.seq ?? 0) > 0);
    const isHeard = $derived(room() !== null && room()?.role !== null);

    $effect(() => {
      if (room() || !root.message || isThere || root.message.deleted) return;
      startThread(session.currentChat, home(), root.message.seq);
    });
    $effect(() => {
      if (!isOnline || !isThere || isHeard) return;
      void this.#watch(name);
      return () => void unwatchThread(session.currentChat, name);
    });
  }

  async #watch(name: string): Promise<void> {
    this.problem = '';
    try {
      await watchThread(session.currentChat, name);
    } catch (error) {
      if (!(error instanceof Disconnected)) this.problem = explain(error);
    }
  }
}
