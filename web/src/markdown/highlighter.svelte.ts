/** Loads syntax highlighting with the first block of code. */

import type { Run } from './highlight';

type HighlightModule = typeof import('./highlight');

class Highlighter {
  #module = $state.raw<HighlightModule | null>(null);
  #asked = false;

  get isHere(): boolean {
    return this.#module !== null;
  }

  load(): void {
    if (this.#asked) return;
    this.#asked = true;
    import('./highlight').then(
      (module) => {
        this.#module = module;
      },
      () => {
        // Offline: the next block tries again.
        this.#asked = false;
      },
    );
  }

  /** The code in runs; a single plain run until the module is loaded. */
  of(language: string, text: string): readonly Run[] {
    return this.#module?.highlight(language, text) ?? [{ kind: null, text }];
  }
}

export const highlighter = new Highlighter();
