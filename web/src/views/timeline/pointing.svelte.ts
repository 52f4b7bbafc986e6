/** Which row is pointed at, by mouse, finger or keys, and so shows what can be done with it. */

import type { Component } from 'svelte';
import type { Row } from '../../app/grouping';
import type { BarProps } from './Actions.svelte';

const LONG_PRESS_MS = 500;
const STILL_PX = 10;

type Key = Row['key'];

interface List {
  element(): HTMLElement;
  rows(): readonly Row[];
}

export class Pointing {
  active = $state.raw<Key | null>(null);
  /** The row that Tab leads to; null: the last. */
  stop = $state.raw<Key | null>(null);
  /** The row whose menu is to open. */
  wanted = $state.raw<Key | null>(null);
  /** What shows the actions: loaded when a row is first pointed at. */
  bar = $state.raw<Component<BarProps> | null>(null);

  #isLocked = false;
  #press: { timer: ReturnType<typeof setTimeout>; x: number; y: number } | null = null;

  constructor(private readonly list: List) {}

  /** The row that something is in, and what it shows. */
  at(target: EventTarget | null): { element: HTMLElement; row: Row } | null {
    const list = this.list.element();
    // Not `closest('li')`: lists inside messages have items too.
    let element = target instanceof Element ? target : null;
    while (element && element.parentElement !== list) element = element.parentElement;
    if (!(element instanceof HTMLElement)) return null;
    const row = this.list.rows()[[...list.children].indexOf(element)];
    return row ? { element, row } : null;
  }

  point(key: Key | null): void {
    if (this.#isLocked) return;
    this.active = key;
    if (key !== null && !this.bar) void this.#load();
  }

  openMenu(key: Key): void {
    this.point(key);
    this.wanted = key;
  }

  /** As long as its menu is open, a row stays the one pointed at. */
  menuIsOpen(isOpen: boolean): void {
    this.#isLocked = isOpen;
    if (isOpen) this.wanted = null;
  }

  // --- events of the list ---------------------------------------------------------------------

  focusin(event: FocusEvent): void {
    const key = this.at(event.target)?.row.key;
    if (key === undefined) return;
    this.stop = key;
    this.point(key);
  }

  over(event: PointerEvent): void {
    if (event.pointerType === 'mouse') this.point(this.at(event.target)?.row.key ?? null);
  }

  leave(): void {
    this.point(this.at(document.activeElement)?.row.key ?? null);
  }

  down(event: PointerEvent): void {
    this.cancel();
    const isLink = event.target instanceof Element && event.target.closest('a, button') !== null;
    if (event.pointerType === 'mouse' || isLink) return;
    const key = this.at(event.target)?.row.key;
    if (key === undefined) return;
    const timer = setTimeout(() => this.openMenu(key), LONG_PRESS_MS);
    this.#press = { timer, x: event.clientX, y: event.clientY };
  }

  move(event: PointerEvent): void {
    if (!this.#press) return;
    const { x, y } = this.#press;
    if (Math.hypot(event.clientX - x, event.clientY - y) > STILL_PX) this.cancel();
  }

  cancel(): void {
    clearTimeout(this.#press?.timer);
    this.#press = null;
  }

  async #load(): Promise<void> {
    try {
      this.bar = (await import('./Actions.svelte')).default;
    } catch {
      // Without a network it may not be there; the next row pointed at tries again.
    }
  }
}
