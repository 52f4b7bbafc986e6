/** Fixtures of every test: a server per worker, and people in browsers of their own. */

import { test as base, expect, type Browser, type BrowserContext, type Page } from '@playwright/test';
import { Server } from './server';

export { expect };

let serial = 0;

/** A browser with somebody signed in. */
export interface Someone {
  name: string;
  page: Page;
  context: BrowserContext;
}

interface Fixtures {
  /** A new account in a new browser, in the lobby. */
  someone: (name: string) => Promise<Someone>;
  /** The server's owner in a new browser, in the lobby. */
  owner: () => Promise<Someone>;
  /** Errors of all pages so far. A test may remove those it has caused on purpose. */
  problems: string[];
}

export const PASSWORD = 'three words do well';
const OWNER = 'olivia';

export const test = base.extend<Fixtures, { server: Server }>({
  server: [
    async ({}, use) => {
      const server = await Server.start();
      await use(server);
      await server.stop();
    },
    { scope: 'worker' },
  ],
  baseURL: async ({ server }, use) => use(server.url),
  problems: async ({}, use) => {
    const problems: string[] = [];
    await use(problems);
    expect(problems).toEqual([]);
  },
  someone: async ({ browser, server, problems }, use, info) => {
    const browsers = new Browsers(browser, server, problems);
    await use(async (base) => {
      serial += 1;
      const name = `${base}${info.workerIndex}x${serial}`;
      return browsers.open(name, (context) => enter(server, context, 'sign-up', { name }));
    });
    await browsers.close();
  },
  owner: async ({ browser, server, problems }, use) => {
    const browsers = new Browsers(browser, server, problems);
    await use(() =>
      browsers.open(OWNER, async (context) => {
        const invite = server.takeOwnerInvite();
        if (invite) await enter(server, context, 'sign-up', { name: OWNER, invite });
        else await enter(server, context, 'sign-in', { name: OWNER });
      }),
    );
    await browsers.close();
  },
});

/** Browsers with somebody signed in, closed together. */
class Browsers {
  #contexts: BrowserContext[] = [];

  constructor(
    private readonly browser: Browser,
    private readonly server: Server,
    private readonly problems: string[],
  ) {}

  async open(name: string, signIn: (context: BrowserContext) => Promise<void>): Promise<Someone> {
    const context = await this.browser.newContext({ baseURL: this.server.url });
    this.#contexts.push(context);
    await signIn(context);
    const page = await context.newPage();
    watch(page, this.problems);
    await page.goto('/rooms/lobby');
    return { name, page, context };
  }

  async close(): Promise<void> {
    await Promise.all(this.#contexts.map((context) => context.close()));
  }
}

async function enter(
  server: Server,
  context: BrowserContext,
  how: 'sign-up' | 'sign-in',
  who: { name: string; invite?: string },
): Promise<void> {
  const answer = await context.request.post(`/api/${how}`, {
    data: { ...who, password: PASSWORD },
    headers: { Origin: server.url },
  });
  expect(answer.ok(), await answer.text()).toBe(true);
}

/** No page may violate the content policy or throw. */
export function watch(page: Page, problems: string[]): void {
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => {
    if (/content security policy|trusted ?types/i.test(message.text())) problems.push(message.text());
  });
}
