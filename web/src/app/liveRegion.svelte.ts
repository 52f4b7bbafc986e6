/** What is said aside: to screen readers by live regions, and to everyone by a passing line. */

const SHOWN_FOR_MS = 6_000;

interface Toast {
  id: number;
  text: string;
  isProblem: boolean;
}

class LiveRegion {
  /** Read out when there is a pause. */
  polite = $state.raw('');
  /** Read out at once. */
  assertive = $state.raw('');
  toast = $state.raw<Toast | null>(null);
  #serial = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;

  announce(text: string): void {
    this.polite = text;
    // What was read out is not kept: it may be edited or deleted.
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => (this.polite = ''), SHOWN_FOR_MS);
  }

  /** Something was done that cannot be seen: “Link copied”. */
  show(text: string): void {
    this.#toast(text, false);
    this.announce(text);
  }

  /** Something failed. */
  alert(text: string): void {
    this.#toast(text, true);
    this.assertive = text;
  }

  dismiss(): void {
    clearTimeout(this.#timer);
    this.toast = null;
    this.assertive = '';
  }

  #toast(text: string, isProblem: boolean): void {
    this.#serial += 1;
    this.toast = { id: this.#serial, text, isProblem };
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.dismiss(), SHOWN_FOR_MS);
  }
}

export const liveRegion = new LiveRegion();
