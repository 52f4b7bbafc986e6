import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { expect, test, type Someone } from './fixtures';

const composer = (page: Page) => page.getByRole('textbox', { name: /^Message/ });

async function write(page: Page, text: string): Promise<void> {
  await composer(page).fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
  await expect(page.getByText(text, { exact: true })).toBeVisible();
}

/** The worker controls the page, so all of its files are cached. */
const workerReady = (page: Page) =>
  page.waitForFunction(() => navigator.serviceWorker.controller?.state === 'activated');

/** The message is stored: the database is written a moment after the page shows it. */
const untilStored = (page: Page, text: string) =>
  expect
    .poll(() =>
      page.evaluate(async (wanted) => {
        for (const { name = '' } of await indexedDB.databases()) {
          const db = await new Promise<IDBDatabase>((resolve) => {
            const request = indexedDB.open(name);
            request.onsuccess = () => resolve(request.result);
          });
          for (const store of db.objectStoreNames) {
            const all = await new Promise<unknown[]>((resolve) => {
              const request = db.transaction(store).objectStore(store).getAll();
              request.onsuccess = () => resolve(request.result as unknown[]);
            });
            if (JSON.stringify(all).includes(wanted)) return db.close(), true;
          }
          db.close();
        }
        return false;
      }, text),
    )
    .toBe(true);

async function texts({ context }: Someone, url: string): Promise<string[]> {
  const answer = await context.request.get(`${url}/api/rooms/lobby/messages?limit=50`);
  const { messages } = (await answer.json()) as { messages: { text?: string }[] };
  return messages.map(({ text = '' }) => text);
}

test('offline the page opens with stored messages, says so, and sends after reconnecting', async ({
  someone,
  server,
}) => {
  const ana = await someone('ana');
  const { page, context } = ana;
  await write(page, `${ana.name} was online`);
  await workerReady(page);
  await untilStored(page, `${ana.name} was online`);

  await context.setOffline(true);
  await page.reload();
  await expect(page.getByText(`${ana.name} was online`)).toBeVisible();
  await expect(page.getByText('You’re offline. Messages will be sent when you’re back.')).toBeVisible();
  await expect(page.getByText('You are seeing what was last stored on this device.')).toBeVisible();
  await expect(page.getByRole('navigation', { name: 'Rooms and people' })).toContainText(/lobby/i);

  const written = [1, 2, 3].map((n) => `${ana.name} wrote this offline: ${n}`);
  for (const text of written) await write(page, text);
  await untilStored(page, written[2] ?? '');
  await page.reload();
  for (const text of written) await expect(page.getByText(text)).toBeVisible();

  await context.setOffline(false);
  await expect(page.getByText('You’re offline.')).toHaveCount(0);
  const sent = async () => (await texts(ana, server.url)).filter((text) => text.startsWith(ana.name));
  await expect.poll(sent).toEqual([`${ana.name} was online`, ...written]);
});

test('the service worker caches nothing that people write', async ({ someone }) => {
  const bo = await someone('bo');
  const { page } = bo;
  await write(page, `a secret of ${bo.name}`);
  await workerReady(page);
  await page.reload();
  await expect(page.getByText(`a secret of ${bo.name}`)).toBeVisible();

  const entries = await page.evaluate(async () => {
    const all: { path: string; text: string }[] = [];
    for (const name of await caches.keys()) {
      const cache = await caches.open(name);
      for (const request of await cache.keys()) {
        const answer = await cache.match(request);
        all.push({ path: new URL(request.url).pathname, text: (await answer?.text()) ?? '' });
      }
    }
    return all;
  });
  const paths = entries.map(({ path }) => path);
  expect(paths).toContain('/index.html');
  expect(paths.filter((path) => /^\/(?:api|ws|rooms)\b/.test(path))).toEqual([]);
  expect(entries.filter(({ text }) => text.includes(bo.name))).toEqual([]);
});

/** Simulates a newer release: another page, and another worker. */
async function nextBuild(client: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hubbub-e2e-build-'));
  await cp(client, folder, { recursive: true });
  const change = async (name: string, how: (text: string) => string) => {
    await writeFile(join(folder, name), how(await readFile(join(folder, name), 'utf8')));
    for (const packed of ['.br', '.gz']) await rm(join(folder, name + packed), { force: true });
  };
  await change('sw.js', (code) => code.replace(/"version":"\w+"/, '"version":"next"'));
  await cp(join(folder, 'favicon.svg'), join(folder, 'assets', 'next.svg'));
  await change('index.html', (page) =>
    page.replace('</head>', '<link rel="next" href="/assets/next.svg"></head>'),
  );
  return folder;
}

test('an update is offered with and without a worker, and loaded on request', async ({
  someone,
  server,
  browser,
}) => {
  const { page, context } = await someone('cy');
  await workerReady(page);
  const plain = await browser.newContext({
    baseURL: server.url,
    storageState: await context.storageState(),
    serviceWorkers: 'block',
  });
  const { client } = server;
  const next = await nextBuild(client);
  try {
    const other = await plain.newPage();
    await other.goto('/rooms/lobby');
    await expect(composer(other)).toBeVisible();
    await composer(page).fill('half a thought');
    await server.kill();
    server.client = next;
    await server.up();

    for (const each of [page, other]) {
      const reload = each.getByRole('button', { name: 'Reload to update' });
      await expect(reload).toBeVisible();
      await expect(each.locator('link[rel=next]')).toHaveCount(0);
      await reload.click();
      await expect(each.locator('link[rel=next]')).toHaveCount(1);
      await expect(composer(each)).toBeVisible();
      await expect(reload).toHaveCount(0);
    }
    await expect(composer(page)).toHaveValue('half a thought');
  } finally {
    await plain.close();
    await server.kill();
    server.client = client;
    await server.up();
    await rm(next, { recursive: true });
  }
});
