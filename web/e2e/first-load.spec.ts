import { gzipSync } from 'node:zlib';
import { expect, test } from './fixtures';

const LIMIT_BYTES = 60 * 1024;

test('a signed-in person gets a room with at most 60 KB of code, all from this server', async ({
  someone,
  browser,
  server,
}) => {
  const { context, page: first } = await someone('ana');
  await expect(first.getByRole('textbox', { name: /^Message/ })).toBeVisible();
  const tell = async (path: string, data: object) => {
    const answer = await context.request.post(path, { data, headers: { Origin: server.url } });
    expect(answer.ok(), await answer.text()).toBe(true);
  };
  // A new room: messages of other tests in the lobby may need more than plain text does.
  await tell('/api/rooms', { room: 'weighed', title: 'Weighed' });
  await tell('/api/rooms/weighed/messages', { text: 'What does it take to see this?' });

  const fresh = await browser.newContext({
    baseURL: server.url,
    storageState: await context.storageState(),
    serviceWorkers: 'block',
  });
  const page = await fresh.newPage();
  // Nobody waits for what is loaded while the browser is idle.
  await page.addInitScript(() => (window.requestIdleCallback = () => 0));
  const sizes = new Map<string, Promise<number>>();
  const hosts = new Set<string>();
  page.on('request', (request) => hosts.add(new URL(request.url()).host));
  page.on('response', (response) => {
    const { pathname } = new URL(response.url());
    if (!/\.(?:js|css)$/.test(pathname)) return;
    sizes.set(pathname, response.body().then((body) => gzipSync(body, { level: 9 }).length));
  });
  await page.goto('/rooms/weighed');
  await expect(page.getByText('What does it take to see this?')).toBeVisible();
  await expect(page.getByRole('textbox', { name: /^Message/ })).toBeVisible();
  await page.waitForLoadState('networkidle');

  const parts = await Promise.all([...sizes].map(async ([name, size]) => ({ name, size: await size })));
  const total = parts.reduce((sum, { size }) => sum + size, 0);
  expect(total, JSON.stringify(parts, null, 1)).toBeLessThanOrEqual(LIMIT_BYTES);
  expect([...hosts]).toEqual([new URL(server.url).host]);
  await fresh.close();
});
