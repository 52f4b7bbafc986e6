/** Loads the Markdown parser when a text needs it, or when the browser is idle. */

type Rich = typeof import('./rich');

class Loader {
  /** Null until it is loaded. */
  rich = $state.raw<Rich | null>(null);
  #asked = false;

  load(): void {
    if (this.#asked) return;
    this.#asked = true;
    import('./rich').then(
      (rich) => {
        this.rich = rich;
      },
      () => {
        // Offline: the next text that needs it tries again.
        this.#asked = false;
      },
    );
  }
}

export const loader = new Loader();

// Without idle callbacks, the first text with markup loads it.
window.requestIdleCallback?.(() => loader.load());
