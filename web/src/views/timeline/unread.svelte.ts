/** The unread messages of the room on screen: where they begin, and when they become read. */

import { untrack } from 'svelte';
import { newLineOnChange, newLineOnOpen, newLineOnReturn, type NewLine } from './newLine';
import { session } from '../../app/session/session.svelte';
import { readUpTo, type RoomState } from '../../data/state/state';
import { attention } from '../../app/page/attention.svelte';
import type { Scrolling } from './scrolling.svelte';

/** Create it during component initialisation; it lives as long as the component. */
export class Unread {
  newLine: NewLine;
  /** The number of messages that arrived since the end was last on screen. */
  below: number;
  /** Everything missed while the room was closed has arrived. */
  isSettled = $state(false);

  #seenSeq: number;

  constructor(room: () => RoomState, scrolling: Scrolling, settled: () => void) {
    this.newLine = $state.raw(untrack(() => newLineOnOpen(room())));
    this.#seenSeq = $state(untrack(() => room().seq));
    // Messages read or written on another device are not new here.
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

  /** Messages marked as unread may become read again. */
  release(): void {
    this.newLine = newLineOnReturn(this.newLine);
  }

  /** Only messages above the line have been seen. */
  seenToLine(): void {
    this.#seenSeq = this.newLine.newAfter ?? this.#seenSeq;
  }
}
