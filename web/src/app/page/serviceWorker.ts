/** Registers the service worker, which caches the client, and detects newer versions on the server. */

import { reload } from './reload';
import { updates } from './updates.svelte';

const WORKER = '/sw.js';
const LOOK_EVERY_MS = 60_000;
const CHECK_EVERY_MS = 60 * 60_000;
// The reload must not wait forever for a worker that does not activate.
const TAKE_OVER_WITHIN_MS = 4_000;

interface Policy {
  createScriptURL(url: string): string;
}
interface TrustedTypes {
  createPolicy(name: string, rules: Policy): Policy;
}

/**
 * The content policy does not accept a plain string as a script address; this policy accepts only ours.
 */
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

/** Whether the page as the server sends it refers to built files that this page did not load. */
export function isAnotherBuild(html: string, page: Document = document): boolean {
  // The content policy does not allow parsing the string into a document.
  const built = [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, address]) => address);
  return built.some((address) => !page.querySelector(`[src="${address}"], [href="${address}"]`));
}

class ServiceWorkerUpdates {
  #registration: ServiceWorkerRegistration | null = null;
  #checkedAt = Date.now();
  #isApplying = false;

  constructor() {
    updates.apply = () => this.#apply();
    // The file of a view is gone from the server, most likely because there is a new build.
    addEventListener('vite:preloadError', () => void this.check({ again: true }));
    // Browsers throttle timers of hidden pages and stop them during sleep, so check often whether an
    // update check is due.
    setInterval(() => this.#checkIfDue(), LOOK_EVERY_MS);
    // Service workers exist only in a secure context.
    if ('serviceWorker' in navigator) void this.#register(navigator.serviceWorker);
  }

  async #register(container: ServiceWorkerContainer): Promise<void> {
    let hadWorker = container.controller !== null;
    container.addEventListener('controllerchange', () => {
      if (this.#isApplying) reload();
      // Another tab switched to the new build, so the files of this page are no longer cached.
      else if (hadWorker) updates.offer({ again: true });
      hadWorker = true;
    });
    try {
      const registration = await container.register(workerAddress(), { updateViaCache: 'none' });
      this.#registration = registration;
      this.#watch(registration);
    } catch (error) {
      // In private windows, for example. Everything works except opening the page offline.
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

  /** Checks for a new version; called when the server may have been updated. */
  async check(how = { again: false }): Promise<void> {
    this.#checkedAt = Date.now();
    try {
      await this.#registration?.update();
      // With a service worker this is the cached build, otherwise that of the server.
      const answer = await fetch('/index.html', { cache: 'no-cache' });
      if (answer.ok && isAnotherBuild(await answer.text())) updates.offer(how);
    } catch {
      // The next reconnection or the next hour checks again.
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

/** The only instance, for the lifetime of the page. */
export const serviceWorkerUpdates = new ServiceWorkerUpdates();
