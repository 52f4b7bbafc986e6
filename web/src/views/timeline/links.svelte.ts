/** Goes to the message that the address names, once for each time a link to it is followed. */

import { tick, untrack } from 'svelte';
import { words } from '../../app/language.svelte';
import { router } from '../../app/router.svelte';
import { session } from '../../app/session.svelte';
import { speech } from '../../app/speech.svelte';
import { attempt } from '../../app/trouble';
import { shown } from '../../data/state';
import type { Scrolling } from './scrolling.svelte';

const SHOWN_FOR_MS = 2_400;

function isShown(room: string, seq: number, { rooms } = session.here.state): boolean {
  const known = rooms.get(room);
  return !!known && shown(known).messages.some((message) => message.seq === seq);
}

/** To be made while a component is set up: it lives as long as that does. */
export class Links {
  /** The message to point out for a moment. */
  target = $state.raw<number | null>(null);

  #doneStep = -1;

  constructor(
    private readonly room: string,
    seq: () => number | null,
    private readonly scrolling: Scrolling,
    private readonly list: () => HTMLElement,
  ) {
    $effect(() => {
      const wanted = seq();
      const isOnline = session.connection.status === 'online';
      if (wanted === null || router.steps === this.#doneStep) return;
      const isHere = untrack(() => isShown(room, wanted, session.state));
      // Offline only what is kept can be shown; the rest as soon as it can be asked for.
      if (!isHere && !isOnline) return;
      this.#doneStep = router.steps;
      untrack(() => void this.#go(wanted, isHere));
    });
  }

  async #go(seq: number, isHere: boolean): Promise<void> {
    this.scrolling.seek(() => this.#reach(seq));
    if (isHere) return;
    const { room } = this;
    const isDone = await attempt(() => session.here.history.around(room, seq));
    if (isDone && isShown(room, seq)) return;
    this.scrolling.seek(null);
    if (isDone) speech.alert(words().timeline.notHere);
  }

  #reach(seq: number): boolean {
    const row = this.list().querySelector<HTMLElement>(`:scope > [data-seq="${seq}"]`);
    if (!row) return false;
    this.scrolling.toRow(row, 'middle');
    // Who followed a link in the timeline goes on reading there.
    if (this.list().contains(document.activeElement)) row.focus({ preventScroll: true });
    this.target = null;
    void tick().then(() => (this.target = seq));
    setTimeout(() => {
      if (this.target === seq) this.target = null;
    }, SHOWN_FOR_MS);
    return true;
  }
}
