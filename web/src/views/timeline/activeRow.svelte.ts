/** The active row, chosen by mouse, touch or keys, which shows its actions. */

import { untrack } from 'svelte';
import type { Row } from '../message/grouping';
import { onRowKey } from './rowKeys';

const LONG_PRESS_MS = 500;
const STILL_PX = 10;

type Key = Row['key'];

/** The part that the row should open: its menu, or the emoji to react with. */
export type RowMenu = 'menu' | 'emoji';

export interface ActiveRowOptions {
  box: HTMLElement;
  list: HTMLElement;
  rows(): readonly Row[];
  canReply(): boolean;
  /** Escape was pressed, and neither a dialog nor a menu has handled it. */
  escape(isInside: boolean): void;
}

export class ActiveRow {
  active = $state.raw<Key | null>(null);
  /** The row that Tab reaches; null: the last one. */
  stop = $state.raw<Key | null>(null);
  /** The part that the active row should open. */
  wanted = $state.raw<RowMenu | null>(null);

  #isLocked = false;
  /** A finger resting on a row; `isLong` once the row has become active. */
  #press: { timer: ReturnType<typeof setTimeout>; isLong: boolean; x: number; y: number } | null = null;

  constructor(private readonly options: ActiveRowOptions) {}

  /** One set of listeners for all rows. */
  attach(): () => void {
    const { box } = this.options;
    const ended = new AbortController();
    const { signal } = ended;
    // Effects that move the focus must not depend on the active row.
    const listen = <K extends keyof HTMLElementEventMap>(
      type: K,
      run: (event: HTMLElementEventMap[K]) => void,
    ) => box.addEventListener(type, (event) => untrack(() => run(event)), { signal });
    listen('click', (event) => this.#onClick(event));
    listen('keydown', (event) => onRowKey(event, this, this.options.canReply()));
    listen('focusin', (event) => this.#onFocusIn(event.target));
    listen('focusout', (event) => this.#onFocusOut(event.relatedTarget));
    listen('pointerover', (event) => this.#onPointerOver(event));
    listen('pointerleave', () => this.#onPointerLeave());
    listen('pointerdown', (event) => this.#onPointerDown(event));
    listen('pointermove', (event) => this.#onPointerMove(event));
    listen('pointerup', () => this.#onPointerUp());
    listen('contextmenu', (event) => {
      // The browser's own context menu would cover ours.
      if (this.#press) event.preventDefault();
    });
    listen('pointercancel', () => this.#cancel());
    addEventListener('keydown', (event) => this.#onEscape(event), { signal });
    // Catch up with what happened before the listeners existed.
    untrack(() => {
      this.#onFocusIn(document.activeElement);
      if (this.active === null) this.#pointAsMouse();
    });
    return () => {
      ended.abort();
      this.#cancel();
    };
  }

  /** The row that contains an element. */
  at(target: EventTarget | null): { element: HTMLElement; row: Row } | null {
    const { list, rows } = this.options;
    // Not `closest('li')`, because lists inside messages have items too.
    let element = target instanceof Element ? target : null;
    while (element && element.parentElement !== list) element = element.parentElement;
    if (!(element instanceof HTMLElement)) return null;
    const row = rows()[[...list.children].indexOf(element)];
    return row ? { element, row } : null;
  }

  point(key: Key | null): void {
    if (key === this.active) return;
    // If the row was removed, so was its menu, which could not report that it closed.
    if (this.#isLocked && this.options.rows().some((row) => row.key === this.active)) return;
    this.#isLocked = false;
    this.#keepFocus();
    this.active = key;
  }

  /** The actions disappear with the active row, so move a focus inside them to the row. */
  #keepFocus(): void {
    const { activeElement } = document;
    if (!activeElement?.closest('[data-actions]')) return;
    this.at(activeElement)?.element.focus({ preventScroll: true });
  }

  #pointAsMouse(): void {
    this.point(this.at(this.options.box.querySelector('li:hover'))?.row.key ?? null);
  }

  open(what: RowMenu, key: Key): void {
    this.point(key);
    this.wanted = what;
  }

  /** While its menu is open, a row stays active. */
  onMenuToggle(isOpen: boolean): void {
    this.#isLocked = isOpen;
    if (isOpen) this.wanted = null;
  }

  // --- events of the list ---------------------------------------------------------------------

  #onFocusIn(target: EventTarget | null): void {
    const key = this.at(target)?.row.key;
    if (key === undefined) return;
    this.stop = key;
    // Its click is still to come, and making the row active would replace the button.
    if (!isMore(target)) this.point(key);
  }

  /** When the focus leaves the timeline, only the mouse can make a row active. */
  #onFocusOut(to: EventTarget | null): void {
    if (to instanceof Node && !this.options.box.contains(to)) this.#pointAsMouse();
  }

  #onClick(event: MouseEvent): void {
    const at = isMore(event.target) ? this.at(event.target) : null;
    if (at) this.open('menu', at.row.key);
  }

  #onPointerOver(event: PointerEvent): void {
    if (event.pointerType === 'mouse') this.point(this.at(event.target)?.row.key ?? null);
  }

  #onPointerLeave(): void {
    this.point(this.at(document.activeElement)?.row.key ?? null);
  }

  #onPointerDown(event: PointerEvent): void {
    this.#cancel();
    const isLink = event.target instanceof Element && event.target.closest('a, button') !== null;
    if (event.pointerType === 'mouse' || isLink) return;
    const key = this.at(event.target)?.row.key;
    if (key === undefined) return;
    const timer = setTimeout(() => {
      this.point(key);
      if (this.#press) this.#press.isLong = true;
    }, LONG_PRESS_MS);
    this.#press = { timer, isLong: false, x: event.clientX, y: event.clientY };
  }

  #onPointerUp(): void {
    const { active } = this;
    // Open the menu only after the finger is lifted, because lifting it outside would close the menu.
    if (this.#press?.isLong && active !== null) setTimeout(() => this.open('menu', active));
    this.#cancel();
  }

  #onPointerMove(event: PointerEvent): void {
    if (!this.#press) return;
    const { x, y } = this.#press;
    if (Math.hypot(event.clientX - x, event.clientY - y) > STILL_PX) this.#cancel();
  }

  #cancel(): void {
    clearTimeout(this.#press?.timer);
    this.#press = null;
  }

  #onEscape(event: KeyboardEvent): void {
    if (event.key !== 'Escape' || event.defaultPrevented || event.isComposing) return;
    if (document.querySelector('dialog[open]')) return;
    this.options.escape(this.options.box.contains(document.activeElement));
  }
}

function isMore(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest('[data-more]') !== null;
}
