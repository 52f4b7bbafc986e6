/** Has the client kept by a service worker, and finds out when the server has a newer one. */

import { reload } from './reload';
import { updates } from './updates.svelte';

const WORKER = '/sw.js';
const LOOK_EVERY_MS = 60_000;
const CHECK_EVERY_MS = 60 * 60_000;
// A worker that does not take over, for whatever reason, must not keep the person waiting.
const TAKE_OVER_WITHIN_MS = 4_000;

interface Policy {
  createScriptURL(url: string): string;
}
interface TrustedTypes {
  createPolicy(name: string, rules: Policy): Policy;
}

/** The content policy lets no plain string name a script; ours can name this one only. */
function workerAddress(): string {
  const { trustedTypes } = window as { trustedTypes?: TrustedTypes };
  const rules: Policy = {
    createScriptURL(url) {
      if (url !== WORKER) throw new TypeError('There is one worker.');
      return url;
    },
  };
  return (trustedTypes?.createPolicy('hubbub-worker', rules) ?? rules).createScriptURL(WORKER);
}

/** Whether a page as served names built files that the page on screen did not come with. */
export function isAnotherBuild(html: string, page: Document = document): boolean {
  // The content policy allows no parsing of a string into a page, and this is our own page.
  const built = [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, address]) => address);
  return built.some((address) => !page.querySelector(`[src="${address}"], [href="${address}"]`));
}

class ServiceWorkerUpdates {
  #registration: ServiceWorkerRegistration | null = null;
  #checkedAt = Date.now();
  #isApplying = false;

  constructor() {
    updates.apply = () => this.#apply();
    // A view's file is gone from the server: most likely since there is a new build.
    addEventListener('vite:preloadError', () => void this.check({ again: true }));
    // Browsers hold timers back in hidden pages, and stop them with the machine: often, but short.
    setInterval(() => this.#checkIfDue(), LOOK_EVERY_MS);
    // Only in a secure context is there one.
    if ('serviceWorker' in navigator) void this.#register(navigator.serviceWorker);
  }

  async #register(container: ServiceWorkerContainer): Promise<void> {
    let hadWorker = container.controller !== null;
    container.addEventListener('controllerchange', () => {
      if (this.#isApplying) reload();
      // Another tab went over to the new build; this page's own files are no longer kept.
      else if (hadWorker) updates.offer({ again: true });
      hadWorker = true;
    });
    try {
      const registration = await container.register(workerAddress(), { updateViaCache: 'none' });
      this.#registration = registration;
      this.#watch(registration);
    } catch (error) {
      // Private windows and the like: everything works but for opening without a network.
      console.warn('Hubbub could not keep itself for times without a network.', error);
    }
  }

  #watch(registration: ServiceWorkerRegistration): void {
    const look = () => {
      const isUpdate = registration.waiting && navigator.serviceWorker.controller;
      if (isUpdate) updates.offer({ again: false });
    };
    const watch = (worker: ServiceWorker | null) => worker?.addEventListener('statechange', look);
    look();
    watch(registration.installing);
    registration.addEventListener('updatefound', () => watch(registration.installing));
  }

  /** Ask the server; for whenever it may have changed. */
  async check(how = { again: false }): Promise<void> {
    this.#checkedAt = Date.now();
    try {
      await this.#registration?.update();
      // Where a worker keeps the page, this is its build, and else the server's.
      const answer = await fetch('/index.html', { cache: 'no-cache' });
      if (answer.ok && isAnotherBuild(await answer.text())) updates.offer(how);
    } catch {
      // Not now; the next reconnect or the next hour asks again.
    }
  }

  #checkIfDue(): void {
    if (!document.hidden && Date.now() - this.#checkedAt >= CHECK_EVERY_MS) void this.check();
  }

  #apply(): void {
    const next = this.#registration?.waiting ?? this.#registration?.installing;
    if (!next) {
      reload();
      return;
    }
    this.#isApplying = true;
    next.postMessage('take over');
    setTimeout(() => reload(), TAKE_OVER_WITHIN_MS);
  }
}

/** One for the life of the page. */
export const serviceWorkerUpdates = new ServiceWorkerUpdates();
