import type { BrowserContext, Locator, Page } from '@playwright/test';
import { expect, test, type Someone } from './fixtures';
import { TextConnection } from './textConnection';
import type { Server } from './server';

const log = (page: Page) => page.getByRole('log', { name: 'Messages' });
const row = (page: Page, text: string | RegExp) =>
  log(page).getByRole('listitem').filter({ hasText: text });
const composer = (page: Page) => page.getByRole('textbox', { name: 'Message' });

interface Draft {
  text: string;
  reply_to?: number;
  kind?: 'me';
}

async function post(server: Server, context: BrowserContext, room: string, draft: Draft) {
  const answer = await context.request.post(`/api/rooms/${room}/messages`, {
    data: draft,
    headers: { Origin: server.url },
  });
  expect(answer.ok(), await answer.text()).toBe(true);
  return (await answer.json()) as { seq: number };
}

async function postMany(who: Someone, room: string, from: number, to: number) {
  const line = await TextConnection.open(who.context, room);
  await line.say(Array.from({ length: to - from + 1 }, (_, n) => `number ${from + n}.`));
  await line.close();
}

let rooms = 0;

/** A new room, so that other tests do not write in it. */
async function newRoom(server: Server, who: Someone): Promise<string> {
  rooms += 1;
  const answer = await who.context.request.post('/api/rooms', {
    data: { title: `Tea ${who.name} ${rooms}` },
    headers: { Origin: server.url },
  });
  expect(answer.ok(), await answer.text()).toBe(true);
  const { room } = (await answer.json()) as { room: { room: string } };
  return room.room;
}

async function join(server: Server, who: Someone, room: string) {
  const answer = await who.context.request.post(`/api/rooms/${room}/join`, {
    headers: { Origin: server.url },
  });
  expect(answer.ok(), await answer.text()).toBe(true);
}

/** The distance of an element from the top of the timeline. */
async function topOf(page: Page, what: Locator): Promise<number> {
  const [outer, inner] = [await log(page).boundingBox(), await what.boundingBox()];
  return (inner?.y ?? NaN) - (outer?.y ?? NaN);
}

/** Scrolls there and returns the first visible row and its position. */
const firstInSight = (page: Page, scrollTop: number) =>
  log(page).evaluate(async (box, to) => {
    box.scrollTop = to;
    // Rows get their real heights when they become visible.
    for (const _ of [1, 2]) await new Promise(requestAnimationFrame);
    const { top } = box.getBoundingClientRect();
    const rows = [...box.querySelectorAll<HTMLElement>('[data-seq]')];
    const row = rows.find((each) => each.getBoundingClientRect().top >= top);
    return { seq: row?.dataset['seq'], top: (row?.getBoundingClientRect().top ?? NaN) - top };
  }, scrollTop);

const isAtEnd = (page: Page) =>
  log(page).evaluate((box) => box.scrollHeight - box.clientHeight - box.scrollTop < 2);

test('paging through hundreds of messages keeps the position, mounts few rows, and returns', async ({
  someone,
  server,
}) => {
  const ana = await someone('ana');
  const room = await newRoom(server, ana);
  await postMany(ana, room, 1, 420);
  await ana.page.goto(`/rooms/${room}`);
  await expect(row(ana.page, 'number 420.')).toBeInViewport();

  // Up, page by page: what was visible when a page arrived has not moved.
  const first = log(ana.page).getByRole('listitem').first();
  while (!(await first.filter({ hasText: 'number 1.' }).count())) {
    const before = (await first.textContent()) ?? '';
    const seen = await firstInSight(ana.page, 200);
    await expect(first).not.toHaveText(before);
    const now = await topOf(ana.page, log(ana.page).locator(`[data-seq="${seen.seq}"]`));
    expect(Math.abs(now - seen.top)).toBeLessThan(3);
  }
  expect(await log(ana.page).getByRole('listitem').count()).toBeLessThanOrEqual(340);
  await log(ana.page).evaluate((box) => (box.scrollTop = 0));
  await expect(ana.page.getByText(/This is the beginning of #Tea/)).toBeInViewport();
  await expect(ana.page.getByText('You are looking at older messages')).toBeVisible();

  // Down again to the live end.
  await expect(async () => {
    await log(ana.page).evaluate((box) => (box.scrollTop = box.scrollHeight));
    await expect(row(ana.page, 'number 420.')).toBeInViewport({ timeout: 300 });
  }).toPass();
  await expect(ana.page.getByText('You are looking at older messages')).toHaveCount(0);
  await post(server, ana.context, room, { text: 'and one more' });
  await expect(row(ana.page, 'and one more')).toBeInViewport();
});

test('a link to a message scrolls it to the middle, again when it is followed again', async ({
  someone,
  server,
}) => {
  const ana = await someone('ana');
  const room = await newRoom(server, ana);
  await postMany(ana, room, 1, 200);
  await post(server, ana.context, room, { text: 'as I said', reply_to: 40 });
  await ana.page.goto(`/rooms/${room}/40`);
  const wanted = log(ana.page).locator('[data-seq="40"]');
  const isCentred = async () => {
    const height = (await log(ana.page).boundingBox())?.height ?? 0;
    expect(Math.abs((await topOf(ana.page, wanted)) - height / 2)).toBeLessThan(60);
  };
  await expect(wanted).toBeInViewport();
  await expect(isCentred).toPass();

  await ana.page.getByRole('button', { name: 'Jump to latest' }).click();
  await expect(row(ana.page, 'as I said')).toBeInViewport();
  await expect(ana.page).toHaveURL(new RegExp(`/rooms/${room}$`));
  // The quoted message is found, although it is no longer loaded.
  const quote = row(ana.page, 'as I said').getByRole('link', { name: /number 40\./ });
  await quote.click();
  await expect(wanted).toBeInViewport();
  await expect(isCentred).toPass();
  await expect(wanted).toBeFocused();

  await ana.page.keyboard.press('Escape');
  await expect(row(ana.page, 'as I said')).toBeInViewport();
  await expect(composer(ana.page)).toBeFocused();
});

test('reading further up shows the number of new messages and where they begin', async ({
  someone,
  server,
}) => {
  const ana = await someone('ana');
  const bo = await someone('bo');
  const room = await newRoom(server, ana);
  await join(server, bo, room);
  await postMany(ana, room, 1, 60);

  // Bo opens it with more unread messages than fit on the screen: at the line.
  await bo.page.getByRole('navigation').getByRole('link', { name: /Tea/ }).first().click();
  await expect(row(bo.page, 'number 1.')).toBeInViewport();
  await expect(bo.page.getByText('New', { exact: true })).toBeInViewport();
  await bo.page.getByRole('button', { name: '60 new messages' }).click();
  await expect(row(bo.page, 'number 60.')).toBeInViewport();

  await log(bo.page).evaluate((box) => (box.scrollTop -= 600));
  await expect(row(bo.page, 'number 60.')).not.toBeInViewport();
  await postMany(ana, room, 61, 63);
  const pill = bo.page.getByRole('button', { name: '3 new messages' });
  await pill.click();
  await expect(row(bo.page, 'number 63.')).toBeInViewport();
  await expect(pill).toHaveCount(0);

  // At the end it follows new messages, also when the composer grows.
  await composer(bo.page).fill('a\nb\nc\nd\ne');
  await expect.poll(() => isAtEnd(bo.page)).toBe(true);
  await postMany(ana, room, 64, 64);
  await expect(row(bo.page, 'number 64.')).toBeInViewport();
});

test('all actions of a message work with the keyboard alone', async ({ someone, server }) => {
  const ana = await someone('ana');
  const { page } = ana;
  await ana.context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: server.url });
  const room = await newRoom(server, ana);
  await postMany(ana, room, 1, 3);
  await page.goto(`/rooms/${room}`);
  await expect(row(page, 'number 3.')).toBeVisible();

  const choose = async (item: string) => {
    await page.keyboard.press('Enter');
    await expect(page.getByRole('menuitem').first()).toBeFocused();
    while (!(await page.getByRole('menuitem', { name: item }).evaluate((it) => it === document.activeElement))) {
      await page.keyboard.press('ArrowDown');
    }
    await page.keyboard.press('Enter');
  };

  await row(page, 'number 3.').focus();
  await expect(row(page, 'number 3.').getByRole('button', { name: 'More actions' })).toBeVisible();
  await page.keyboard.press('Home');
  await expect(row(page, 'number 1.')).toBeFocused();
  await page.keyboard.press('ArrowDown');
  await expect(row(page, 'number 2.')).toBeFocused();

  await choose('Copy link');
  await expect(page.getByText('Link copied').last()).toBeVisible();
  await expect(row(page, 'number 2.')).toBeFocused();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(
    `${server.url}/rooms/${room}/2`,
  );

  await choose('Mark as unread');
  await expect(row(page, 'number 2.').getByText('New', { exact: true })).toBeVisible();

  await choose('Edit');
  await expect(composer(page)).toBeFocused();
  await composer(page).fill('number two');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(row(page, 'number two').getByText('(edited)')).toBeVisible();

  await row(page, 'number two').focus();
  await page.keyboard.press('r');
  await expect(composer(page)).toBeFocused();
  await page.keyboard.press('Escape');

  await row(page, 'number two').focus();
  await choose('Delete');
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).press('Enter');
  await expect(row(page, 'This message was deleted.')).toBeVisible();
  await expect(row(page, 'number 3.')).toBeFocused();
});

test('mouse actions leave the focus in the row', async ({ someone, server }) => {
  const ana = await someone('ana');
  const { page } = ana;
  const room = await newRoom(server, ana);
  await postMany(ana, room, 1, 3);
  await page.goto(`/rooms/${room}`);
  const second = row(page, 'number 2.');
  const choose = async (item: string) => {
    await second.hover();
    await second.getByRole('button', { name: 'More actions' }).click();
    await page.getByRole('menuitem', { name: item }).click();
  };

  await choose('Delete');
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
  await expect(second).toBeFocused();

  await choose('Copy link');
  await row(page, 'number 3.').hover();
  await expect(row(page, 'number 3.').getByRole('button', { name: 'Reply', exact: true })).toBeVisible();
  await expect(second).toBeFocused();

  // While somebody is typing, no row is active.
  await composer(page).click();
  await expect(log(page).getByRole('button', { name: 'Reply' })).toHaveCount(0);
});

test('messages written while the server is down wait in place, and keep their rows', async ({
  someone,
  server,
}) => {
  const ana = await someone('ana');
  const { page } = ana;
  const room = await newRoom(server, ana);
  await page.goto(`/rooms/${room}`);
  await expect(page.getByText('There are no messages here yet.')).toBeVisible();
  await composer(page).fill('before');
  await page.getByRole('button', { name: 'Send' }).click();
  await expect(row(page, 'before')).toHaveAttribute('data-seq', '1');

  await server.kill();
  await composer(page).fill('meanwhile');
  await page.getByRole('button', { name: 'Send' }).click();
  await expect(row(page, 'meanwhile').getByText('Waiting for a connection')).toBeVisible();
  const element = await row(page, 'meanwhile').elementHandle();
  await server.up();
  await expect(row(page, 'meanwhile')).toHaveAttribute('data-seq', '2');
  expect(await element?.evaluate((li) => li.isConnected)).toBe(true);
  await expect(row(page, 'meanwhile')).toHaveCount(1);
});
