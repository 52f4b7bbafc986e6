/** Loads syntax highlighting with the first block of code. */

import type { Run } from './highlight';

type HighlightModule = typeof import('./highlight');

class Highlighter {
  #module = $state.raw<HighlightModule | null>(null);
  #requested = false;

  get isHere(): boolean {
    return this.#module !== null;
  }

  load(): void {
    if (this.#requested) return;
    this.#requested = true;
    import('./highlight').then(
      (module) => {
        this.#module = module;
      },
      () => {
        // Offline: the next block tries again.
        this.#requested = false;
      },
    );
  }

  /** The code in runs; a single plain run until the module is loaded. */
  of(language: string, text: string): readonly Run[] {
    return this.#module?.highlight(language, text) ?? [{ kind: null, text }];
  }
}

export const highlighter = new Highlighter();
