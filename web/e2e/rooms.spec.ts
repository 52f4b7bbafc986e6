/** Navigation: the list, the switcher, joining and creating rooms, direct messages. */

import type { Page } from '@playwright/test';
import { expect, test, watch } from './fixtures';
import { command, composer, roomFor, say } from './people';

const list = (page: Page) => page.getByRole('navigation', { name: 'Rooms and people' });
const linkTo = (page: Page, title: string | RegExp) => list(page).getByRole('link', { name: title });
const heading = (page: Page, name: string | RegExp) =>
  page.getByRole('heading', { level: 1, name });

test('public rooms can be joined, and private ones are invisible to others', async ({
  someone,
}) => {
  const ana = await someone('ana');
  const bo = await someone('bo');
  const title = `Tea ${ana.name}`;

  await list(ana.page).getByRole('button', { name: 'Create a room' }).click();
  const dialog = ana.page.getByRole('dialog', { name: 'Create a room' });
  await dialog.getByRole('button', { name: 'Create room' }).click();
  await expect(dialog.getByText('Give the room a title.')).toBeVisible();
  await dialog.getByLabel('Title').fill(title);
  await dialog.getByLabel('Topic').fill('Green or black?');
  await dialog.getByRole('button', { name: 'Create room' }).click();
  await expect(heading(ana.page, title)).toBeVisible();
  await expect(linkTo(ana.page, title)).toHaveAttribute('aria-current', 'page');
  await say(ana, 'The kettle is on');

  await list(ana.page).getByRole('button', { name: 'Create a room' }).click();
  await dialog.getByLabel('Title').fill(`Secret ${ana.name}`);
  await dialog.getByLabel('Private').check();
  await dialog.getByRole('combobox', { name: 'People to add' }).fill('nobody at all');
  await expect(dialog.getByText('There is nobody with that name.')).toBeVisible();
  await dialog.getByRole('combobox', { name: 'People to add' }).fill('');
  await dialog.getByRole('button', { name: 'Create room' }).click();
  await expect(heading(ana.page, `Secret ${ana.name}`)).toBeVisible();
  const secret = new URL(ana.page.url()).pathname;

  await list(bo.page).getByRole('link', { name: 'Browse rooms' }).click();
  await expect(heading(bo.page, 'Browse rooms')).toBeVisible();
  await bo.page.getByRole('searchbox', { name: 'Search rooms' }).fill(ana.name);
  const found = bo.page.getByRole('main').getByRole('listitem');
  await expect(found).toHaveCount(1);
  await expect(found).toContainText('Green or black?');
  await found.getByRole('button', { name: `Join ${title}` }).click();
  await expect(bo.page.getByText('The kettle is on')).toBeVisible();

  await bo.page.goto(secret);
  await expect(bo.page.getByRole('main')).toContainText('does not exist, or it is private');
});

test('a direct message appears for the other person, and can be muted', async ({
  someone,
}) => {
  const ana = await someone('ana');
  const bo = await someone('bo');
  await expect(composer(bo.page)).toBeVisible();

  await list(ana.page).getByRole('button', { name: 'New message' }).click();
  const dialog = ana.page.getByRole('dialog', { name: 'New message' });
  await dialog.getByRole('combobox', { name: 'To' }).fill(`@${bo.name}`);
  await dialog.getByRole('option', { name: bo.name }).click();
  await expect(dialog.getByRole('button', { name: `Remove ${bo.name}` })).toBeVisible();
  await dialog.getByRole('button', { name: 'Start conversation' }).click();
  await expect(heading(ana.page, bo.name)).toBeVisible();
  await say(ana, 'Psst');
  await say(ana, 'Are you there?');

  const link = linkTo(bo.page, ana.name);
  await expect(link).toHaveAccessibleName(/2 unread messages/);
  await expect(link).toHaveAccessibleName(/online/);
  const room = new URL(ana.page.url()).pathname.split('/').at(-1);
  await command(bo, 'PATCH', `/api/rooms/${room}/prefs`, { notify: 'none' });
  await expect(link).toHaveAccessibleName(/Muted/);
  await expect(link).not.toHaveAccessibleName(/unread/);
  await command(bo, 'PATCH', `/api/rooms/${room}/prefs`, { notify: 'all' });
  await link.click();
  await expect(bo.page.getByText('Are you there?')).toBeVisible();
  await expect(link).not.toHaveAccessibleName(/unread/);
});

test('with the keyboard: the switcher, the next room, and the next unread one', async ({
  someone,
}) => {
  const ana = await someone('ana');
  const bo = await someone('bo');
  const first = await roomFor(ana, bo);
  const second = await roomFor(ana, bo);
  const { page } = bo;
  const { keyboard } = page;
  await expect(linkTo(page, 'Lobby')).toBeVisible();

  await keyboard.press('Control+k');
  const field = page.getByRole('combobox', { name: 'Room or person' });
  await expect(field).toBeFocused();
  await expect(page.getByRole('option', { selected: true })).toBeVisible();
  await keyboard.press('Control+k');
  await expect(field).toBeHidden();
  await expect(composer(page)).toBeFocused();
  await keyboard.press('Control+k');
  await expect(field).toBeFocused();
  await keyboard.type('loy');
  await expect(page.getByRole('option', { selected: true })).toHaveAccessibleName(/Lobby/);
  await expect(page.getByRole('option', { selected: true }).locator('mark')).toHaveText(['lo', 'y'], {
    ignoreCase: true,
  });
  await keyboard.press('Enter');
  await expect(page).toHaveURL(/\/rooms\/lobby$/);
  await expect(composer(page)).toBeFocused();

  await keyboard.press('Alt+ArrowDown');
  await expect(page).toHaveURL(new RegExp(first));
  await keyboard.press('Alt+ArrowUp');
  await expect(page).toHaveURL(/\/rooms\/lobby$/);
  await command(ana, 'POST', `/api/rooms/${second}/messages`, { text: `look, @${bo.name}` });
  await expect(list(page).getByRole('link', { name: /1 unread message, 1 mention/ })).toBeVisible();
  await keyboard.press('Alt+Shift+ArrowUp');
  await expect(page).toHaveURL(new RegExp(second));

  await keyboard.press('Control+/');
  await expect(page.getByRole('dialog', { name: 'Keyboard shortcuts' })).toContainText('Unread room below');
  await keyboard.press('Escape');
  // All of it goes into the switcher, however late that appears.
  await keyboard.press('Control+k');
  await keyboard.type(ana.name);
  await expect(field).toHaveValue(ana.name);
  await page.getByRole('group', { name: 'People' }).getByRole('option', { name: ana.name }).waitFor();
  await keyboard.press('Enter');
  await expect(heading(page, ana.name)).toBeVisible();
});

test('on a phone: list, room, and Back; being removed from a room is explained', async ({ someone }) => {
  const ana = await someone('ana');
  const bo = await someone('bo');
  const room = await roomFor(ana, bo);
  const { page } = bo;
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto('/');
  await expect(page.getByRole('heading', { level: 1 })).toHaveCount(1);
  await linkTo(page, 'Lobby').click();
  await expect(composer(page)).toBeVisible();
  await expect(list(page)).toBeHidden();
  await expect(page.getByRole('heading', { level: 1 })).toHaveCount(1);
  await page.goBack();
  await expect(linkTo(page, 'Lobby')).toBeFocused();
  await list(page).getByRole('link', { name: 'Browse rooms' }).click();
  await page.getByRole('button', { name: 'Back' }).click();
  await expect(list(page)).toBeVisible();

  await page.goto(`/rooms/${room}`);
  await expect(composer(page)).toBeVisible();
  await command(ana, 'DELETE', `/api/rooms/${room}/members/${bo.name}`);
  await expect(page.getByText('You are no longer in this room.')).toBeVisible();
  await page.getByRole('button', { name: 'Join' }).click();
  await expect(composer(page)).toBeVisible();
});

test('a guest can open any public room, and get an account', async ({
  someone,
  browser,
  server,
  problems,
}) => {
  const ana = await someone('ana');
  const room = await roomFor(ana);
  const context = await browser.newContext({ baseURL: server.url });
  const page = await context.newPage();
  watch(page, problems);
  await page.goto('/sign-in');
  await page.getByRole('button', { name: 'Continue as a guest' }).click();
  await expect(heading(page, 'Lobby')).toBeVisible();
  await expect(list(page).getByRole('button', { name: 'Create a room' })).toHaveCount(0);
  await list(page).getByRole('link', { name: 'Browse rooms' }).click();
  await page.getByRole('searchbox', { name: 'Search rooms' }).fill(room);
  const found = page.getByRole('main').getByRole('listitem');
  await expect(found).toHaveCount(1);
  await found.getByRole('link', { name: /^Open/ }).click();
  await expect(composer(page)).toBeVisible();
  await page.getByRole('link', { name: 'Create an account' }).click();
  await expect(page.getByRole('button', { name: 'Create account' })).toBeVisible();
  await context.close();
});
