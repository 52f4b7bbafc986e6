/** What every test has: a server of its worker, and people in browsers of their own. */

import { test as base, expect, type BrowserContext, type Page } from '@playwright/test';
import { Server } from './server';

export { expect };

let serial = 0;

/** Somebody's browser, signed in. */
export interface Someone {
  name: string;
  page: Page;
  context: BrowserContext;
}

interface Fixtures {
  /** A new account in a new browser, in the lobby. */
  someone: (name: string) => Promise<Someone>;
}

export const PASSWORD = 'three words do well';

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
  someone: async ({ browser, server }, use, info) => {
    const contexts: BrowserContext[] = [];
    const problems: string[] = [];
    await use(async (base) => {
      serial += 1;
      const name = `${base}${info.workerIndex}x${serial}`;
      const context = await browser.newContext({ baseURL: server.url });
      contexts.push(context);
      await signUp(server, context, name);
      const page = await context.newPage();
      watch(page, problems);
      await page.goto('/rooms/lobby');
      return { name, page, context };
    });
    await Promise.all(contexts.map((context) => context.close()));
    expect(problems).toEqual([]);
  },
});

async function signUp(server: Server, context: BrowserContext, name: string): Promise<void> {
  const answer = await context.request.post('/api/sign-up', {
    data: { name, password: PASSWORD },
    headers: { Origin: server.url },
  });
  expect(answer.ok(), await answer.text()).toBe(true);
}

/** No page may break the content policy or throw. */
export function watch(page: Page, problems: string[]): void {
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => {
    if (/content security policy|trusted ?types/i.test(message.text())) problems.push(message.text());
  });
}
