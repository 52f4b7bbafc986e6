/** Brings the Markdown parser when a text first needs it, else when the browser has nothing to do. */

type Rich = typeof import('./rich');

class Loader {
  /** Null until it is here. */
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

// A browser without idle callbacks waits for the first text with markup.
window.requestIdleCallback?.(() => loader.load());
