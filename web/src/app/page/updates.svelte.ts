/** Whether a newer client is available. `serviceWorker.ts` finds that out. */

import { reload } from './reload';

class Updates {
  /** There is one, and the user has not dismissed the offer. */
  isOffered = $state.raw(false);
  #isDeclined = false;
  /** Switches to the new version. Unsent messages and drafts are already saved. */
  apply: () => void = reload;

  /**
   * `again` repeats the offer after it was dismissed, since a part of the page no longer works without
   * it.
   */
  offer({ again }: { again: boolean }): void {
    if (again) this.#isDeclined = false;
    this.isOffered = !this.#isDeclined;
  }

  /** Dismisses the offer until the page is loaded again. */
  decline(): void {
    this.#isDeclined = true;
    this.isOffered = false;
  }
}

export const updates = new Updates();
