/** Settings, and what others see of them. */

import type { Browser, Page } from '@playwright/test';
import { expect, PASSWORD, test, type Someone } from './fixtures';
import { command, say } from './people';
import type { Server } from './server';

const settings = async (page: Page, section: string) => {
  await page.goto(`/settings/${section}`);
  await expect(page.getByRole('main').getByRole('heading', { level: 2 })).toBeVisible();
};

/** Signed in once more, as on another device. */
async function signInElsewhere(browser: Browser, url: string, name: string, password: string) {
  const context = await browser.newContext({ baseURL: url });
  const answer = await context.request.post('/api/sign-in', {
    data: { name, password },
    headers: { Origin: url },
  });
  return { context, ok: answer.ok() };
}

test('a display name changes for others as soon as it is saved', async ({ someone }) => {
  const ana = await someone('ana');
  const bo = await someone('bo');
  await say(ana, `Is this me, ${ana.name}?`);
  const row = bo.page.getByRole('listitem').filter({ hasText: `Is this me, ${ana.name}?` });
  await expect(row).toContainText(ana.name);
  await settings(ana.page, 'profile');
  await ana.page.getByRole('textbox', { name: 'Display name' }).fill('Countess of Lovelace');
  await ana.page.getByRole('button', { name: 'Save' }).click();
  await expect(row).toContainText('Countess of Lovelace');
});

test('the new password works, the old one does not, and other devices are signed out', async ({
  someone,
  browser,
  server,
}) => {
  const ana = await someone('ana');
  const second = await signInElsewhere(browser, server.url, ana.name, PASSWORD);
  const page = await second.context.newPage();
  await settings(page, 'devices');
  await expect(page.getByRole('listitem').filter({ hasText: 'This device' })).toHaveCount(1);

  await settings(ana.page, 'password');
  const change = async (old: string) => {
    await ana.page.getByLabel('Current password').fill(old);
    await ana.page.getByLabel('New password').fill('four words do better');
    await ana.page.getByRole('button', { name: 'Change password' }).click();
  };
  await change('not my password');
  await expect(ana.page.getByText('This is not your current password.')).toBeVisible();
  await expect(ana.page.getByLabel('Current password')).toBeFocused();
  await change(PASSWORD);
  await expect(ana.page.getByText(/^Password changed/).first()).toBeVisible();

  await expect(page.getByRole('button', { name: 'Sign in' })).toBeVisible();
  expect((await signInElsewhere(browser, server.url, ana.name, PASSWORD)).ok).toBe(false);
  const third = await signInElsewhere(browser, server.url, ana.name, 'four words do better');
  expect(third.ok).toBe(true);

  // From here that device is signed out, as one would do with an unknown device.
  const other = await third.context.newPage();
  await other.goto('/rooms/lobby');
  await settings(ana.page, 'devices');
  const row = ana.page.getByRole('listitem').filter({ hasText: 'Last active' });
  await row.getByRole('button', { name: /^Sign out/ }).click();
  await expect(row).toHaveCount(0);
  await expect(other.getByRole('button', { name: 'Sign in' })).toBeVisible();
});

test('theme and language survive a reload', async ({ someone }) => {
  const { page } = await someone('ana');
  await settings(page, 'appearance');
  await page.getByRole('radio', { name: 'Dark' }).check();
  await page.getByRole('combobox', { name: 'Language' }).selectOption('Deutsch');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Einstellungen');
  await page.reload();
  await expect(page.getByRole('radio', { name: 'Dunkel' })).toBeChecked();
  expect(await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).toBe(
    'rgb(19, 20, 22)',
  );
  await page.getByRole('combobox', { name: 'Sprache' }).selectOption('');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Settings');
});

test('on a phone, a section is a separate step, and Back leads out of it', async ({ someone }) => {
  const { page } = await someone('ana');
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto('/settings');
  await page.getByRole('link', { name: 'Devices' }).click();
  await expect(page.getByRole('heading', { level: 2, name: 'Devices' })).toBeFocused();
  await expect(page.getByRole('link', { name: 'Devices' })).toHaveCount(0);
  await page.goBack();
  await expect(page.getByRole('link', { name: 'Devices' })).toBeVisible();
  await page.getByRole('link', { name: 'Password' }).click();
  await page.getByRole('button', { name: 'All settings' }).click();
  await expect(page.getByRole('link', { name: 'Password' })).toBeVisible();
  await page.goto('/settings/people');
  await expect(page.getByRole('main')).toContainText('owners and admins');
});

test('the owner names the server, invites somebody, and locks them out', async ({
  owner,
  someone,
  browser,
  server,
  problems,
}) => {
  const olivia = await owner();
  const { page } = olivia;
  const guest = await newcomer(browser, server, problems);
  await settings(page, 'server');
  const bo = await someone('bo');
  await page.getByRole('textbox', { name: 'Server name' }).fill('The Tea Room');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(bo.page.getByText('The Tea Room')).toBeVisible();
  // On this server an option fixes who may join, so the owner cannot change it.
  await page.getByText('Nobody new').click();
  await expect(page.getByText('This is set by an option of the server').first()).toBeVisible();
  await expect(page.getByRole('radio', { name: 'Everyone' })).toBeChecked();

  await page.getByRole('link', { name: 'Invites' }).click();
  await page.getByRole('button', { name: 'Create invite' }).click();
  const dialog = page.getByRole('dialog', { name: 'Invite link' });
  await expect(dialog.getByRole('img', { name: 'QR code of the invite link' })).toBeVisible();
  const link = await dialog.getByRole('textbox', { name: 'Invite link' }).inputValue();
  await page.keyboard.press('Escape');

  await guest.page.goto(link);
  await guest.page.getByRole('textbox', { name: 'Name', exact: true }).fill(guest.name);
  await guest.page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await guest.page.getByRole('button', { name: 'Create account' }).click();
  await expect(guest.page.getByRole('textbox', { name: /^Message/ })).toBeVisible();

  await page.getByRole('link', { name: 'People' }).click();
  await page.getByRole('searchbox', { name: 'Find people' }).fill(guest.name);
  await page.getByRole('button', { name: `Actions for ${guest.name}` }).click();
  await page.getByRole('menuitem', { name: 'Make admin' }).click();
  const row = page.getByRole('listitem').filter({ hasText: guest.name });
  await expect(row).toContainText('Admin');
  await row.getByRole('button').click();
  await page.getByRole('menuitem', { name: 'Lock out' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Lock out' }).click();
  await expect(row).toContainText('Locked out');
  await expect(guest.page.getByRole('button', { name: 'Sign in' })).toBeVisible();
  await guest.context.close();
  // Other tests use the same server afterwards.
  await command(olivia, 'PATCH', '/api/server', { name: 'Hubbub' });
});

/** Somebody without an account. */
async function newcomer(browser: Browser, server: Server, problems: string[]): Promise<Someone> {
  const context = await browser.newContext({ baseURL: server.url });
  const page = await context.newPage();
  page.on('pageerror', (error) => problems.push(String(error)));
  return { name: `newcomer${Date.now().toString(36)}`, page, context };
}
