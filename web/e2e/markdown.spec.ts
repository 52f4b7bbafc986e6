/** Messages are shown as text on the page, and cannot change the page. */

import type { Page } from '@playwright/test';
import { expect, test } from './fixtures';
import { command, composer, fetchMessages, roomFor, timeline } from './people';

const HOSTILE = [
  '<script>document.title = "taken"</script><img src=x onerror="document.title = \'taken\'">',
  '<style>* { display: none }</style> <iframe src="https://example.org"></iframe>',
  '[click](javascript:document.title="taken") [data](data:text/html,taken) ![cat](https://example.org/cat.png)',
  '<a href="javascript:alert(1)" style="position:fixed;inset:0">everything</a>',
  '[`<b>`](https://example.org/"onmouseover="alert(1)) **bold',
].join('\n');

const UNRULY = [
  'W'.repeat(16_000),
  `https://example.org/${'path/'.repeat(200)}`,
  `\`${'code'.repeat(200)}\``,
  `\`\`\`${'language'.repeat(50)}\n${'wide '.repeat(400)}\n\`\`\``,
  `| ${'head | '.repeat(30)}\n|${'-|'.repeat(30)}\n| ${'cell | '.repeat(30)}`,
  `${'>'.repeat(16_000)}`,
  `${'- '.repeat(100)}deep`,
  Array.from({ length: 30 }, (_, depth) => `${'  '.repeat(depth)}- level`).join('\n'),
  `Z${'\u0300\u0301\u0302\u0303\u0316\u0317'.repeat(60)}algo **${'o\u0310\u0336'.repeat(60)}**`,
  'שלום **עולם**, `code` https://example.org/a?b=c\n\n- אחד\n- שתיים\n\n\u202eevil\u202c',
  '👩‍👩‍👧‍👦'.repeat(500),
];

const texts = async (page: Page) => (await timeline(page).locator('p').allTextContents()).join('\n');

test('hostile Markdown and HTML are shown as text', async ({ someone }) => {
  const ana = await someone('ana');
  const room = await roomFor(ana);
  const { page } = ana;
  const requests: string[] = [];
  page.on('request', (request) => requests.push(request.url()));
  // The title of the room appears a moment after the room.
  await expect(page).toHaveTitle(/^#Room/);
  const title = await page.title();
  await composer(page).fill(HOSTILE);
  await composer(page).press('Enter');
  const said = timeline(page);
  await expect(said.getByText('<script>document.title = "taken"</script>')).toBeVisible();
  // The parser was loaded: links are links, and nothing else is.
  await expect(said.getByRole('link', { name: 'cat' })).toHaveAttribute('href', 'https://example.org/cat.png');
  await expect(said.locator('img, script, style, iframe, [style*="fixed"]')).toHaveCount(0);
  await expect(said.locator('a[href^="javascript"], a[href^="data"]')).toHaveCount(0);
  expect(await texts(page)).toContain('[click](javascript:document.title="taken")');
  expect(await page.title()).toBe(title);
  expect((await fetchMessages(ana, room)).map(({ text }) => text)).toEqual([HOSTILE]);
  expect(requests.filter((url) => url.includes('example.org'))).toEqual([]);
});

test('no message makes the page wider than a phone', async ({ someone }) => {
  const ana = await someone('ana');
  const room = await roomFor(ana);
  const { page } = ana;
  for (const text of UNRULY) await command(ana, 'POST', `/api/rooms/${room}/messages`, { text });
  await command(ana, 'POST', `/api/rooms/${room}/messages`, { text: '**the end**' });
  await page.setViewportSize({ width: 320, height: 640 });
  await expect(timeline(page).locator('strong', { hasText: 'the end' })).toBeVisible();
  await expect(timeline(page).getByRole('listitem').first()).toBeAttached();
  const wide = await timeline(page).evaluate((log) => ({
    page: document.documentElement.scrollWidth,
    log: log.scrollWidth - log.clientWidth,
    rows: [...log.querySelectorAll('p, pre, .scroll')]
      .filter((one) => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest('.scroll > *'))
      .map((one) => one.textContent?.slice(0, 30)),
  }));
  expect(wide).toEqual({ page: 320, log: 0, rows: [] });
});

test('code is highlighted, and can be scrolled by keys and copied', async ({ someone }) => {
  const ana = await someone('ana');
  await roomFor(ana);
  const { page, context } = ana;
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const code = `def greet(name):\n    return "Hello, " + name  # ${'long '.repeat(80)}`;
  await composer(page).fill(`\`\`\`python\n${code}\n\`\`\``);
  await composer(page).press('Enter');
  const block = page.getByRole('group', { name: 'Code, python' });
  await expect(block.locator('[data-kind="keyword"]').first()).toHaveText('def');
  await expect(block).toHaveText(code, { useInnerText: true });
  await block.focus();
  await page.keyboard.press('ArrowRight');
  await expect.poll(() => block.evaluate((one) => one.scrollLeft)).toBeGreaterThan(0);
  await page.getByRole('button', { name: 'Copy code' }).click();
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe(code);
});

test('links to rooms and messages stay in the page, people are shown by name', async ({ someone }) => {
  const ana = await someone('ana');
  const bo = await someone('bo');
  const room = await roomFor(ana, bo);
  const { page } = ana;
  await command(bo, 'PATCH', '/api/me', { display_name: 'Bo Example' });
  const { origin } = new URL(page.url());
  const text = `@${bo.name} and @${ana.name}, see ${origin}/rooms/${room}/1 in #${room} or #lobby`;
  await command(bo, 'POST', `/api/rooms/${room}/messages`, { text });
  const row = timeline(page).getByRole('listitem').filter({ hasText: 'Example' }).last();
  await expect(row).toContainText('@Bo Example');
  await page.evaluate(() => Object.assign(window, { stayed: true }));
  await row.getByRole('link', { name: `${origin}/rooms/${room}/1` }).click();
  await expect(page).toHaveURL(`${origin}/rooms/${room}/1`);
  await row.getByRole('link', { name: '#Lobby' }).click();
  await expect(page).toHaveURL(`${origin}/rooms/lobby`);
  expect(await page.evaluate(() => 'stayed' in window)).toBe(true);
});

test('an emoji is found and picked by keys, and offered at once the next time', async ({ someone }) => {
  const { page } = await someone('ana');
  await page.getByRole('button', { name: 'Emoji', exact: true }).click();
  const picker = page.getByRole('dialog', { name: 'Emoji' });
  await picker.getByRole('searchbox', { name: 'Find an emoji' }).fill('rocket');
  await expect(picker.getByRole('button', { name: 'rocket' })).toBeVisible();
  await page.keyboard.press('ArrowDown');
  await expect(picker.getByRole('button', { name: 'rocket' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(composer(page)).toHaveValue(/🚀/);
  await page.getByRole('button', { name: 'Emoji', exact: true }).click();
  await expect(picker.getByRole('region', { name: 'Recently used' }).getByRole('button')).toHaveText('🚀');
  await page.keyboard.press('Escape');
  await expect(picker).toBeHidden();
});

test('a long message is folded, and unfolded with the keyboard', async ({ someone }) => {
  const ana = await someone('ana');
  const room = await roomFor(ana);
  const text = Array.from({ length: 120 }, (_, n) => `Line ${n} of *it*`).join('\n');
  for (let n = 0; n < 20; n += 1) {
    await command(ana, 'POST', `/api/rooms/${room}/messages`, { text: `${n}: ${text}` });
  }
  await ana.page.goto(`/rooms/${room}`);
  // However many messages grow above it, the end stays visible.
  const more = timeline(ana.page).getByRole('button', { name: 'Show more' });
  await expect(more).toHaveCount(20);
  await expect(more.last()).toBeInViewport();
  const last = timeline(ana.page).getByRole('listitem').filter({ hasText: '19: Line 0' });
  await expect(last.getByText('Line 100 of')).toHaveCount(0);
  await more.last().focus();
  await ana.page.keyboard.press('Enter');
  await expect(last).toContainText('Line 119 of it');
  const less = last.getByRole('button', { name: 'Show less' });
  await expect(less).toBeFocused();
  await ana.page.keyboard.press('Enter');
  await expect(last).not.toContainText('Line 119 of it');
  await expect(last.getByRole('button', { name: 'Show more' })).toBeInViewport();
});

test('a link to a message among long ones leads to it', async ({ someone }) => {
  const ana = await someone('ana');
  const room = await roomFor(ana);
  const long = '**@nobody** and so on '.repeat(700);
  for (let n = 0; n < 30; n += 1) {
    const text = n === 14 ? 'Here it is' : long;
    await command(ana, 'POST', `/api/rooms/${room}/messages`, { text });
  }
  await ana.page.goto(`/rooms/${room}/15`);
  await expect(timeline(ana.page).getByText('Here it is')).toBeInViewport();
  await expect(timeline(ana.page).getByRole('button', { name: 'Show more' })).toHaveCount(29);
  await expect(timeline(ana.page).getByText('Here it is')).toBeInViewport();
});
