/** Loads the Markdown parser when a text needs it, or when the browser is idle. */

type Rich = typeof import('./rich');

class Loader {
  /** Null until it is loaded. */
  rich = $state.raw<Rich | null>(null);
  #requested = false;

  load(): void {
    if (this.#requested) return;
    this.#requested = true;
    import('./rich').then(
      (rich) => {
        this.rich = rich;
      },
      () => {
        // Offline: the next text that needs it tries again.
        this.#requested = false;
      },
    );
  }
}

export const loader = new Loader();

// Without idle callbacks, the first text with markup loads it.
window.requestIdleCallback?.(() => loader.load());
