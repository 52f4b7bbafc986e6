/** What is said aside: to screen readers by live regions, and to everyone by a passing line. */

const SHOWN_FOR_MS = 6_000;

interface Toast {
  id: number;
  text: string;
  isProblem: boolean;
}

class Speech {
  /** Read out when there is a pause. */
  polite = $state.raw('');
  /** Read out at once. */
  assertive = $state.raw('');
  toast = $state.raw<Toast | null>(null);
  #serial = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  announce(text: string): void {
    this.polite = text;
  }

  /** Something was done that cannot be seen: “Link copied”. */
  show(text: string): void {
    this.#toast(text, false);
    this.polite = text;
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

export const speech = new Speech();
