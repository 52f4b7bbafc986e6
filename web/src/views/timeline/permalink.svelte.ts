/** Scrolls to the message that the address names, once per navigation. */

import { tick, untrack } from 'svelte';
import { router } from '../../app/router.svelte';
import { session } from '../../app/session/session.svelte';
import { liveRegion } from '../../app/liveRegion.svelte';
import { attempt } from '../../app/errors';
import { shownSegment } from '../../data/state/state';
import type { Scrolling } from './scrolling.svelte';
import { messageWords } from '../message/words';

const SHOWN_FOR_MS = 2_400;

function isShown(room: string, seq: number, { rooms } = session.currentChat.state): boolean {
  const known = rooms.get(room);
  return !!known && shownSegment(known).messages.some((message) => message.seq === seq);
}

interface PermalinkOptions {
  room: string;
  /** The message that the address names. */
  seq(): number | null;
  /** Whether messages that are not loaded can be fetched. */
  isReady(): boolean;
  scrolling: Scrolling;
  list(): HTMLElement;
}

/** Create it during component initialisation; it lives as long as the component. */
export class Permalink {
  /** The message to highlight for a moment. */
  target = $state.raw<number | null>(null);

  #doneStep = -1;

  constructor(private readonly options: PermalinkOptions) {
    $effect(() => {
      const wanted = options.seq();
      const isReady = options.isReady();
      if (wanted === null || router.navigations === this.#doneStep) return;
      const isHere = untrack(() => isShown(options.room, wanted, session.state));
      // A page that arrives during the catch-up might be discarded by a reset.
      if (!isHere && !isReady) return;
      this.#doneStep = router.navigations;
      untrack(() => void this.#go(wanted, isHere));
    });
  }

  async #go(seq: number, isHere: boolean): Promise<void> {
    const { room, scrolling } = this.options;
    // If the link was in the timeline, the focus moves to its target.
    const takesFocus = this.options.list().contains(document.activeElement);
    const goal = () => this.#reach(seq, takesFocus);
    scrolling.seek(goal);
    if (isHere) return;
    const isDone = await attempt(() => session.currentChat.history.around(room, seq));
    if (isDone && isShown(room, seq)) return;
    // The user may have moved on in the meantime.
    if (scrolling.giveUp(goal) && isDone) liveRegion.alert(messageWords().notHere);
  }

  #reach(seq: number, takesFocus: boolean): boolean {
    const row = this.options.list().querySelector<HTMLElement>(`:scope > [data-seq="${seq}"]`);
    if (!row) return false;
    this.options.scrolling.toRow(row, 'middle');
    if (takesFocus) row.focus({ preventScroll: true });
    this.target = null;
    void tick().then(() => (this.target = seq));
    setTimeout(() => {
      if (this.target === seq) this.target = null;
    }, SHOWN_FOR_MS);
    return true;
  }
}
