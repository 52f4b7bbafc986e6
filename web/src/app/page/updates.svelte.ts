/** Whether there is a newer client than this page; how that is found out is in `updating.ts`. */

import { reload } from './reload';

class Updates {
  /** There is one, and the person has not said “not now” to it. */
  isOffered = $state.raw(false);
  #isDeclined = false;
  /** How to get to it; what is unsent or half-written is kept already. */
  apply: () => void = reload;

  /** `again`: also to who has declined, since a part of the page does not work without it. */
  offer({ again }: { again: boolean }): void {
    if (again) this.#isDeclined = false;
    this.isOffered = !this.#isDeclined;
  }

  /** Not now. The next load of the page comes back to it. */
  decline(): void {
    this.#isDeclined = true;
    this.isOffered = false;
  }
}

export const updates = new Updates();
