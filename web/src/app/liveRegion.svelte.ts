/** Announcements to screen readers through live regions, and toasts for everyone. */

const SHOWN_FOR_MS = 6_000;

interface Toast {
  id: number;
  text: string;
  isProblem: boolean;
}

class LiveRegion {
  /** Announced when the screen reader is idle. */
  polite = $state.raw('');
  /** Announced immediately. */
  assertive = $state.raw('');
  toast = $state.raw<Toast | null>(null);
  #serial = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;

  announce(text: string): void {
    this.polite = text;
    // Do not keep the announced text: the message may be edited or deleted.
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => (this.polite = ''), SHOWN_FOR_MS);
  }

  /** Confirms something that cannot be seen, such as “Link copied”. */
  show(text: string): void {
    this.#toast(text, false);
    this.announce(text);
  }

  /** Reports a failure. */
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
