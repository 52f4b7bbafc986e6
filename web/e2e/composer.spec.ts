/** Writing in the composer. */

import type { Locator, Page } from '@playwright/test';
import { expect, test, type Someone } from './fixtures';

const composer = (page: Page): Locator => page.getByRole('textbox', { name: /^Message/ });
const timeline = (page: Page): Locator => page.getByRole('log', { name: 'Messages' });
const options = (page: Page): Locator => page.getByRole('listbox', { name: 'Suggestions' }).getByRole('option');
const messageWith = (page: Page, text: string): Locator => timeline(page).getByText(text, { exact: true });

async function ask(
  { page, context }: Someone,
  path: string,
  data: object,
  method = 'POST',
): Promise<void> {
  const { origin } = new URL(page.url());
  const headers = { Origin: origin };
  const answer = await context.request.fetch(`${origin}${path}`, { method, data, headers });
  expect(answer.ok(), await answer.text()).toBe(true);
}

/** A new room, because tests share the lobby. */
async function ownRoom(who: Someone, title: string): Promise<string> {
  const room = `${title.toLowerCase()}-${who.name}`;
  await ask(who, '/api/rooms', { title, room });
  await who.page.goto(`/rooms/${room}`);
  await expect(composer(who.page)).toBeFocused();
  return room;
}

test('Enter sends, Shift+Enter breaks, and nothing is sent while a word is composed', async ({
  someone,
}) => {
  const ana = await someone('ana');
  const { page } = ana;
  await ownRoom(ana, 'Tea');
  const field = composer(page);
  await expect(field).toHaveAccessibleName('Message #Tea');
  const low = (await field.boundingBox())?.height ?? 0;
  await field.press('Enter');
  await page.keyboard.type('One');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('Two');
  await expect(field).toHaveValue('One\nTwo');
  expect((await field.boundingBox())?.height).toBeGreaterThan(low);

  for (const init of [{ isComposing: true }, { keyCode: 229 }]) {
    await field.evaluate((area, fields) => {
      area.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, ...fields }));
    }, init);
  }
  await expect(field).toHaveValue('One\nTwo');
  await expect(timeline(page).getByRole('listitem')).toHaveCount(0);

  await page.keyboard.press('Enter');
  await expect(field).toHaveValue('');
  await expect(timeline(page).getByRole('listitem').last()).toContainText('Two');

  await page.keyboard.type('Three');
  await page.keyboard.press('Control+Enter');
  await expect(messageWith(page, 'Three')).toBeVisible();
  await page.keyboard.type('Four');
  await page.getByRole('button', { name: 'Send' }).click();
  await expect(messageWith(page, 'Four')).toBeVisible();
  await expect(field).toBeFocused();
});

test('a draft survives changing rooms and a reload', async ({ someone }) => {
  const ana = await someone('ana');
  const { page } = ana;
  const room = await ownRoom(ana, 'Drafts');
  const nav = page.getByRole('navigation', { name: 'Rooms and people' });
  await page.keyboard.type('Half a thou');
  await nav.locator('a[href="/rooms/lobby"]').click();
  await expect(composer(page)).toHaveValue('');
  await nav.locator(`a[href="/rooms/${room}"]`).click();
  await expect(composer(page)).toHaveValue('Half a thou');
  await page.reload();
  await expect(composer(page)).toHaveValue('Half a thou');
  await composer(page).press('End');
  await page.keyboard.type('ght');
  await page.keyboard.press('Enter');
  await expect(messageWith(page, 'Half a thought')).toBeVisible();
  await page.reload();
  await expect(messageWith(page, 'Half a thought')).toBeVisible();
  await expect(composer(page)).toHaveValue('');
});

test('the last message is edited by ↑, and Escape brings the draft back', async ({ someone }) => {
  const ana = await someone('ana');
  const { page } = ana;
  await ownRoom(ana, 'Edits');
  const field = composer(page);
  await page.keyboard.type('Helo');
  await page.keyboard.press('Enter');
  // Immediately, because the message still being sent is the one to edit.
  await page.keyboard.press('ArrowUp');
  await expect(page.getByRole('button', { name: 'Save' })).toBeVisible();
  await expect(field).toHaveValue('Helo');
  await page.keyboard.press('Backspace');
  await page.keyboard.type('lo');
  await page.keyboard.press('Enter');
  await expect(messageWith(page, 'Hello')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Send' })).toBeVisible();

  await page.keyboard.press('ArrowUp');
  await expect(field).toHaveValue('Hello');
  await field.fill('');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('alert').filter({ hasText: 'choose Delete' })).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(field).toHaveValue('');

  await page.keyboard.type('A draft');
  const row = timeline(page).getByRole('listitem').filter({ hasText: 'Hello' });
  await row.hover();
  await row.getByRole('button', { name: 'More actions' }).click();
  await page.getByRole('menuitem', { name: 'Edit' }).click();
  await expect(field).toHaveValue('Hello');
  await expect(field).toBeFocused();
  await page.keyboard.type(', all');
  await page.reload();
  await expect(field).toHaveValue('Hello, all');
  await expect(page.getByText('Editing message')).toBeVisible();
  await field.press('Escape');
  await expect(field).toHaveValue('A draft');
});

test('a reply is stored with its draft, and cancelled by Escape; the picker inserts emoji at the caret', async ({
  someone,
}) => {
  const ana = await someone('ana');
  const { page } = ana;
  const { keyboard } = page;
  await ownRoom(ana, 'Replies');
  const field = composer(page);
  await keyboard.type('Anyone for tea?');
  await keyboard.press('Enter');
  const row = timeline(page).getByRole('listitem').filter({ hasText: 'Anyone for tea?' });
  await row.hover();
  await row.getByRole('button', { name: 'Reply', exact: true }).click();
  const bar = page.getByText(`Replying to ${ana.name}`);
  await expect(bar).toBeVisible();
  await expect(field).toBeFocused();
  await keyboard.type('Me, please');
  await page.reload();
  await expect(bar).toBeVisible();
  await expect(field).toHaveValue('Me, please');
  await field.press('Escape');
  await expect(bar).toHaveCount(0);
  await expect(field).toHaveValue('Me, please');

  await row.hover();
  await row.getByRole('button', { name: 'Reply', exact: true }).click();
  await field.press('Home');
  await page.getByRole('button', { name: 'Emoji' }).click();
  await page.getByRole('dialog', { name: 'Emoji' }).getByRole('searchbox').fill('tada');
  await expect(page.getByRole('dialog').getByRole('button', { name: 'party popper' })).toBeVisible();
  await keyboard.press('Enter');
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await expect(field).toHaveValue('🎉Me, please');
  await expect(field).toBeFocused();
  await keyboard.press('Enter');
  await expect(bar).toHaveCount(0);
  const reply = timeline(page).getByRole('listitem').filter({ hasText: 'Me, please' });
  await expect(reply).toContainText('Anyone for tea?');
});

test('a refused edit keeps its text and says why', async ({ someone }) => {
  const ana = await someone('ana');
  const { page } = ana;
  const room = await ownRoom(ana, 'Refused');
  await page.keyboard.type('Befor');
  await page.keyboard.press('Enter');
  await page.keyboard.press('ArrowUp');
  await expect(page.getByRole('button', { name: 'Save' })).toBeVisible();
  await page.keyboard.type('e');
  await ask(ana, `/api/rooms/${room}/messages/1`, {}, 'DELETE');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('alert').filter({ hasText: 'deleted' })).toBeVisible();
  await expect(composer(page)).toHaveValue('Before');
  await expect(page.getByText('Editing message')).toBeVisible();
});

test('people, rooms and emoji are completed by keyboard and by mouse', async ({ someone }) => {
  const bo = await someone('bo');
  const ana = await someone('ana');
  const { page } = ana;
  const { keyboard } = page;
  const room = await ownRoom(ana, 'Completion');
  const field = composer(page);

  await keyboard.type(`Hi @${bo.name.slice(0, -1)}`);
  await expect(options(page).filter({ hasText: `@${bo.name}` })).toContainText('not in this room');
  await expect(field).toHaveAttribute('aria-activedescendant', /./);
  await keyboard.press('Escape');
  await expect(options(page)).toHaveCount(0);
  await expect(field).toHaveValue(`Hi @${bo.name.slice(0, -1)}`);
  await keyboard.type(bo.name.slice(-1));
  await expect(options(page)).toHaveCount(0);
  await field.fill('');

  await keyboard.type(`@${bo.name.slice(0, -1)}`);
  await options(page).filter({ hasText: `@${bo.name}` }).click();
  await expect(field).toHaveValue(`@${bo.name} `);
  await expect(field).toBeFocused();

  await keyboard.type('#compl');
  await expect(options(page).first()).toContainText('Completion');
  await keyboard.press('Tab');
  await expect(field).toHaveValue(`@${bo.name} #${room} `);

  await keyboard.type(':tad');
  await expect(options(page).first()).toContainText(':tada:');
  const first = await field.getAttribute('aria-activedescendant');
  await keyboard.press('ArrowDown');
  await expect(field).not.toHaveAttribute('aria-activedescendant', first ?? '');
  await keyboard.press('ArrowUp');
  await keyboard.press('Enter');
  await expect(field).toHaveValue(`@${bo.name} #${room} 🎉 `);
  await keyboard.type(':tada:');
  await expect(field).toHaveValue(`@${bo.name} #${room} 🎉 🎉`);

  await field.fill('');
  await keyboard.type(`a@${bo.name.slice(0, -1)} \`@bo`);
  await expect(options(page)).toHaveCount(0);
});

test('slash commands work, and an unknown one keeps its text', async ({ someone }) => {
  const bo = await someone('bo');
  const ana = await someone('ana');
  const { page } = ana;
  const { keyboard } = page;
  await ownRoom(ana, 'Slash');
  const field = composer(page);

  await keyboard.type('/');
  await expect(options(page).filter({ hasText: '/topic' })).toContainText('Set the topic of this room');
  await keyboard.type('top');
  await keyboard.press('Enter');
  await expect(field).toHaveValue('/topic ');
  await keyboard.press('Enter');
  await expect(page.getByRole('alert').filter({ hasText: '/topic text' })).toBeVisible();
  await keyboard.type('Green or black?');
  await keyboard.press('Enter');
  await expect(field).toHaveValue('');
  await expect(page.getByText('Green or black?').first()).toBeVisible();

  await keyboard.type('/shrug who knows');
  await keyboard.press('Enter');
  await expect(timeline(page).getByText('who knows ¯\\_(ツ)_/¯')).toBeVisible();
  await keyboard.type('/me waves');
  await keyboard.press('Enter');
  await expect(timeline(page).getByText('waves')).toBeVisible();
  await keyboard.type('//me is a command');
  await keyboard.press('Enter');
  await expect(messageWith(page, '/me is a command')).toBeVisible();

  await keyboard.type('/dance now');
  await keyboard.press('Enter');
  await expect(page.getByRole('alert').filter({ hasText: 'no command /dance' })).toBeVisible();
  await expect(field).toHaveValue('/dance now');

  await field.fill(`/direct @${bo.name} psst`);
  await keyboard.press('Enter');
  await expect(field).toHaveAccessibleName(`Message ${bo.name}`);
  await expect(messageWith(page, 'psst')).toBeVisible();
});

test('a text that is too long says so and stays', async ({ someone }) => {
  const ana = await someone('ana');
  const { page } = ana;
  await ownRoom(ana, 'Long');
  const field = composer(page);
  await field.fill('a'.repeat(15_600));
  await expect(page.getByText('400 characters left')).toBeVisible();
  // Counted as the server does: an emoji is one character.
  await field.fill('🎉'.repeat(16_001));
  await expect(page.getByText('1 character too many')).toBeVisible();
  await field.press('Enter');
  await expect(page.getByRole('alert').filter({ hasText: '16,000' })).toBeVisible();
  await field.fill('🎉'.repeat(16_000));
  await field.press('Enter');
  await expect(field).toHaveValue('');
  await expect(timeline(page).getByRole('listitem')).toHaveCount(1);
});

test('a message that the browser cannot store returns to the composer', async ({ someone }) => {
  const ana = await someone('ana');
  const { page } = ana;
  await ownRoom(ana, 'Full');
  await page.evaluate(() => {
    IDBObjectStore.prototype.add = () => {
      throw new DOMException('The disk is full.', 'QuotaExceededError');
    };
  });
  await page.keyboard.type('Not to be lost');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('alert').filter({ hasText: 'not sent' })).toBeVisible();
  await expect(composer(page)).toHaveValue('Not to be lost');
  await expect(timeline(page).getByRole('listitem')).toHaveCount(0);
  await page.reload();
  await expect(composer(page)).toHaveValue('Not to be lost');
});

test('on a phone Enter breaks the line, and the keyboard stays closed until it is needed', async ({
  someone,
  browser,
  server,
}) => {
  const ana = await someone('ana');
  const room = await ownRoom(ana, 'Phone');
  const context = await browser.newContext({
    baseURL: server.url,
    storageState: await ana.context.storageState(),
    viewport: { width: 390, height: 844 },
    hasTouch: true,
    isMobile: true,
  });
  const page = await context.newPage();
  await page.goto(`/rooms/${room}`);
  const field = composer(page);
  await expect(field).toBeVisible();
  await expect(field).not.toBeFocused();
  await field.tap();
  await page.keyboard.type('One');
  await page.keyboard.press('Enter');
  await page.keyboard.type('Two :tad');
  await options(page).filter({ hasText: ':tada:' }).tap();
  await expect(field).toHaveValue('One\nTwo 🎉 ');
  await expect(field).toBeFocused();
  await page.getByRole('button', { name: 'Send' }).tap();
  await expect(timeline(page).getByRole('listitem')).toContainText('Two 🎉');
  await expect(field).toBeFocused();
  await context.close();
});

test('a guest may write in public rooms, and is offered only what guests may do', async ({ page }) => {
  await page.goto('/sign-in');
  await page.getByRole('button', { name: 'Continue as a guest' }).click();
  await expect(composer(page)).toBeFocused();
  await page.keyboard.type('/');
  await expect(options(page)).toHaveText([/\/me/, /\/shrug/, /\/help/]);
  await page.keyboard.press('Backspace');
  await page.keyboard.type('Just looking in');
  await page.keyboard.press('Enter');
  await expect(messageWith(page, 'Just looking in')).toBeVisible();
});

test('a public room can be read before joining, and offers to join', async ({ someone }) => {
  const bo = await someone('bo');
  const room = await ownRoom(bo, 'Open');
  const ana = await someone('ana');
  const { page } = ana;
  await page.goto(`/rooms/${room}`);
  await page.getByRole('button', { name: 'Join' }).click();
  await expect(composer(page)).toBeFocused();
  await page.keyboard.type('Here');
  await expect(bo.page.getByText(`${ana.name} is typing…`)).toBeVisible();
  await page.keyboard.press('Enter');
  await expect(messageWith(bo.page, 'Here')).toBeVisible();
  await expect(bo.page.getByText(`${ana.name} is typing…`)).toHaveCount(0);

  await ask(bo, `/api/rooms/${room}`, { archived: true }, 'PATCH');
  await expect(page.getByText('This room is archived')).toBeVisible();
  await expect(composer(page)).toHaveCount(0);
});
