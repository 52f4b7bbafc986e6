/**
 * Keeps the scroll position of the timeline: at the end while following, otherwise with the same row in
 * the same place, whatever is inserted, removed or resized above and below.
 */

const FOLLOW_WITHIN_PX = 80;
/** The distance from an end at which the next page is loaded. */
const AHEAD_PX = 900;

interface Anchor {
  row: Element;
  top: number;
}

/** A target to scroll to as soon as it exists; returns whether it did. */
type Goal = (scrolling: Scrolling) => boolean;

interface Watcher {
  /** Whether the end of the list is the latest message. */
  isLive(): boolean;
  nearStart(): void;
  nearEnd(): void;
}

export class Scrolling {
  /** At the end, and moving along with it. */
  following = $state(true);
  /** More than a screen away from the end. */
  isFar = $state(false);
  /** Whether the timeline is visible at all. */
  isShown = $state(true);

  #box: HTMLElement | null = null;
  #list: HTMLElement | null = null;
  #anchor: Anchor | null = null;
  #goal: Goal | null = null;
  /** The scroll position of a row that was placed on purpose; it stays until the user scrolls. */
  #pinnedAt: number | null = null;

  constructor(private readonly watcher: Watcher) {}

  /** `inner` is the whole content of the box, `list` contains the rows. */
  attach(box: HTMLElement, inner: HTMLElement, list: HTMLElement): () => void {
    this.#box = box;
    this.#list = list;
    const onscroll = () => this.#scrolled();
    box.addEventListener('scroll', onscroll, { passive: true });
    // Resized rows, composer or keyboard are handled before the next paint.
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

  /** Scrolls to the target as soon as it can be reached. */
  seek(goal: Goal | null): void {
    this.#goal = goal;
    if (goal) this.following = false;
    this.hold();
  }

  /** The target cannot be reached. Returns whether it was still the target. */
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

  /** Places a row in the middle of the screen, or in the upper part. */
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

  /** The content has changed. */
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
    // A hidden pane loses its scroll position; it is restored from the anchor.
    if (!box || box.clientHeight === 0) return;
    // Rows that become visible get their real heights, and the placed row has to stay.
    const isPinned = this.#pinnedAt !== null && Math.abs(box.scrollTop - this.#pinnedAt) < 1;
    if (!isPinned) this.#reanchor(box);
    this.#updatePosition(box);
  }

  /** The first row that is completely visible becomes the anchor. */
  #reanchor(box: HTMLElement): void {
    this.#pinnedAt = null;
    const first = this.#list && firstBelow(this.#list.children, box.getBoundingClientRect().top);
    const next = first?.nextElementSibling;
    // A row cut off at the top may change its height, so prefer the next one.
    const isCut = first && next && topIn(box, first) < 0;
    const row = isCut && topIn(box, next) < box.clientHeight / 2 ? next : first;
    const inside = row?.lastElementChild;
    this.#anchor = inside ? { row: inside, top: topIn(box, inside) } : null;
  }

  #updatePosition(box: HTMLElement): void {
    const below = box.scrollHeight - box.clientHeight - box.scrollTop;
    this.isFar = below > box.clientHeight;
    // While scrolling to a target, positions on the way do not count.
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
