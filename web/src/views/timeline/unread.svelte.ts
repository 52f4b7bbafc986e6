/** What is unread in the room on screen: where it begins, and when it has been read. */

import { untrack } from 'svelte';
import { newLineOnChange, newLineOnOpen, newLineOnReturn, type NewLine } from './newLine';
import { session } from '../../app/session/session.svelte';
import { readUpTo, type RoomState } from '../../data/state/state';
import { attention } from '../../app/page/attention.svelte';
import type { Scrolling } from './scrolling.svelte';

/** To be made while a component is set up: it lives as long as that does. */
export class Unread {
  newLine: NewLine;
  /** How many have come since the end was last on screen. */
  below: number;
  /** What was missed while the room was not on screen has come. */
  isSettled = $state(false);

  #seenSeq: number;

  constructor(room: () => RoomState, scrolling: Scrolling, settled: () => void) {
    this.newLine = $state.raw(untrack(() => newLineOnOpen(room())));
    this.#seenSeq = $state(untrack(() => room().seq));
    // Read elsewhere, or written there, is not new here.
    this.below = $derived(Math.max(0, room().seq - Math.max(this.#seenSeq, readUpTo(room()))));

    const isCaughtUp = $derived.by(() => {
      const { catchUp, have, rev } = room();
      return catchUp === 'none' && have !== null && have >= rev;
    });
    const isThere = $derived(attention.isThere && scrolling.isShown && this.isSettled);

    $effect.pre(() => {
      const now = room();
      const sees = isThere && now.catchUp !== 'later' && now.catchUp !== 'hello';
      untrack(() => (this.newLine = newLineOnChange(this.newLine, now, sees)));
    });
    $effect(() => {
      if (attention.isThere) untrack(() => this.release());
    });
    $effect(() => {
      if (this.isSettled || !isCaughtUp) return;
      this.isSettled = true;
      untrack(settled);
    });
    $effect(() => {
      const { room: name, detachedRange, live } = room();
      const last = detachedRange ? undefined : live.messages.at(-1)?.seq;
      if (!last || !isThere || !scrolling.following || this.newLine.isHeld) return;
      session.currentChat.markers.read(name, last);
    });
    $effect(() => {
      if (scrolling.following) this.#seenSeq = room().seq;
    });
  }

  /** What was marked as unread may be read again. */
  release(): void {
    this.newLine = newLineOnReturn(this.newLine);
  }

  /** Only what stands above the line has been seen. */
  seenToLine(): void {
    this.#seenSeq = this.newLine.newAfter ?? this.#seenSeq;
  }
}
