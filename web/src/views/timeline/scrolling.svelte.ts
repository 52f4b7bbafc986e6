/**
 * Keeps the place in the timeline: at its end while that is being followed, else with the same
 * row in the same place on screen, whatever is put in, taken out or grows above and below.
 */

const FOLLOW_WITHIN_PX = 80;
/** How far from an end the next page is asked for. */
const AHEAD_PX = 900;

interface Anchor {
  row: Element;
  top: number;
}

/** Something to go to as soon as it is there; says whether it was. */
type Goal = (scrolling: Scrolling) => boolean;

interface Watcher {
  /** Whether the end of what is shown is the end of all there is. */
  isLive(): boolean;
  nearStart(): void;
  nearEnd(): void;
}

export class Scrolling {
  /** At the end, and moving on with it. */
  following = $state(true);
  /** More than a screen away from the end. */
  isFar = $state(false);
  /** Whether there is anything to see of it at all. */
  isShown = $state(true);

  #box: HTMLElement | null = null;
  #list: HTMLElement | null = null;
  #anchor: Anchor | null = null;
  #goal: Goal | null = null;
  /** Where a row was put on purpose: it stays there until somebody scrolls. */
  #pinnedAt: number | null = null;

  constructor(private readonly watcher: Watcher) {}

  /** `inner` is all that scrolls in the box, `list` the rows in it. */
  attach(box: HTMLElement, inner: HTMLElement, list: HTMLElement): () => void {
    this.#box = box;
    this.#list = list;
    const onscroll = () => this.#scrolled();
    box.addEventListener('scroll', onscroll, { passive: true });
    // Rows that grow, a composer that grows, a keyboard that comes up: all before the next paint.
    const observer = new ResizeObserver(() => this.hold());
    observer.observe(box);
    observer.observe(inner);
    return () => {
      observer.disconnect();
      box.removeEventListener('scroll', onscroll);
      this.#box = null;
      this.#goal = null;
    };
  }

  /** Go there as soon as it can be reached. */
  seek(goal: Goal | null): void {
    this.#goal = goal;
    if (goal) this.following = false;
    this.hold();
  }

  /** It cannot be reached; whether that was still the goal. */
  giveUp(goal: Goal): boolean {
    if (this.#goal !== goal) return false;
    this.seek(null);
    return true;
  }

  toEnd(): void {
    this.seek((scrolling) => {
      if (!scrolling.watcher.isLive()) return false;
      scrolling.following = true;
      return true;
    });
  }

  /** Put a row in the middle of the screen, or a part of the way down from the top. */
  toRow(row: Element, where: 'middle' | 'upper'): void {
    const box = this.#box;
    if (!box) return;
    const { height } = row.getBoundingClientRect();
    const free = Math.max(0, box.clientHeight - height);
    this.following = false;
    this.#anchor = { row, top: where === 'middle' ? free / 2 : free / 5 };
    this.#pinnedAt = box.scrollTop;
    this.#restore(box);
  }

  /** What is shown has changed. */
  hold(): void {
    const box = this.#box;
    if (!box) return;
    this.isShown = box.clientHeight > 0;
    if (!this.isShown) return;
    if (this.#goal?.(this)) this.#goal = null;
    const isWaiting = this.#goal !== null && this.#anchor === null;
    if (isWaiting || (this.following && this.watcher.isLive())) box.scrollTop = box.scrollHeight;
    else this.#restore(box);
    this.#updatePosition(box);
  }

  #restore(box: HTMLElement): void {
    if (!this.#anchor?.row.isConnected) {
      this.#reanchor(box);
      return;
    }
    const moved = topIn(box, this.#anchor.row) - this.#anchor.top;
    if (Math.abs(moved) >= 1) box.scrollTop += moved;
    if (this.#pinnedAt !== null) this.#pinnedAt = box.scrollTop;
  }

  #scrolled(): void {
    const box = this.#box;
    // A pane that is hidden loses its place; it comes back to the anchor.
    if (!box || box.clientHeight === 0) return;
    // Rows around it that come into sight get their real heights, and it is still the one to keep.
    const isPinned = this.#pinnedAt !== null && Math.abs(box.scrollTop - this.#pinnedAt) < 1;
    if (!isPinned) this.#reanchor(box);
    this.#updatePosition(box);
  }

  /** The first row that can be seen whole is what stays in its place. */
  #reanchor(box: HTMLElement): void {
    this.#pinnedAt = null;
    const first = this.#list && firstBelow(this.#list.children, box.getBoundingClientRect().top);
    const next = first?.nextElementSibling;
    // One that is cut off above may grow or shrink, unless it is all there is to see.
    const isCut = first && next && topIn(box, first) < 0;
    const row = isCut && topIn(box, next) < box.clientHeight / 2 ? next : first;
    const inside = row?.lastElementChild;
    this.#anchor = inside ? { row: inside, top: topIn(box, inside) } : null;
  }

  #updatePosition(box: HTMLElement): void {
    const below = box.scrollHeight - box.clientHeight - box.scrollTop;
    this.isFar = below > box.clientHeight;
    // On the way to somewhere, what is passed does not count.
    if (this.#goal) return;
    this.following = below <= FOLLOW_WITHIN_PX && this.watcher.isLive();
    if (box.scrollTop < AHEAD_PX) this.watcher.nearStart();
    if (below < AHEAD_PX) this.watcher.nearEnd();
  }
}

function topIn(box: HTMLElement, row: Element): number {
  return row.getBoundingClientRect().top - box.getBoundingClientRect().top;
}

function firstBelow(rows: HTMLCollection, y: number): Element | null {
  let low = 0;
  let high = rows.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((rows[middle]?.getBoundingClientRect().bottom ?? 0) > y) high = middle;
    else low = middle + 1;
  }
  return rows[low] ?? null;
}
