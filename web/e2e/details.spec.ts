/** The details of a room, its members, and ways to leave it: live for everyone. */

import type { Page } from '@playwright/test';
import { expect, test } from './fixtures';
import { command, composer, roomFor } from './people';

const panel = (page: Page) => page.getByRole('complementary', { name: 'Details' });
const opener = (page: Page) => page.getByRole('button', { name: 'Details' });
const member = (page: Page, name: string) =>
  panel(page).getByRole('listitem').filter({ hasText: `@${name}` });

async function choose(page: Page, name: string, action: string): Promise<void> {
  await panel(page).getByRole('button', { name: `Actions for ${name}` }).click();
  await page.getByRole('menuitem', { name: action }).click();
}

test('title, topic and presence are live for everyone', async ({ someone }) => {
  const ana = await someone('ana');
  const bo = await someone('bo');
  await roomFor(ana, bo);
  await opener(ana.page).click();
  await expect(opener(ana.page)).toHaveAttribute('aria-expanded', 'true');
  await panel(ana.page).getByRole('button', { name: 'Edit title and topic' }).click();
  await ana.page.getByLabel('Title').fill('Tea & time');
  await ana.page.getByLabel('Topic').fill('Green or black? See https://tea.example/list.');
  await ana.page.getByLabel('Topic').press('Enter');

  await expect(bo.page.getByRole('heading', { level: 1 })).toHaveText('Tea & time');
  await expect(bo.page.getByRole('main')).toContainText('Green or black?');
  await opener(bo.page).click();
  const link = panel(bo.page).getByRole('link', { name: 'https://tea.example/list' });
  await expect(link).toHaveAttribute('href', 'https://tea.example/list');
  await expect(panel(bo.page).getByRole('button', { name: 'Edit title and topic' })).toHaveCount(0);

  // Escape closes the details, and the focus returns to the button that opened them.
  await bo.page.keyboard.press('Escape');
  await expect(panel(bo.page)).toHaveCount(0);
  await expect(opener(bo.page)).toBeFocused();

  await expect(member(ana.page, bo.name).getByRole('img', { name: 'online' })).toBeVisible();
  await bo.page.close();
  await expect(member(ana.page, bo.name).getByRole('img', { name: 'offline' })).toBeVisible();
});

test('somebody is added to a private room, made a moderator, and removed', async ({
  someone,
}) => {
  const ana = await someone('ana');
  const bo = await someone('bo');
  const { room } = await command<{ room: { room: string } }>(ana, 'POST', '/api/rooms', {
    title: 'Secret garden',
    kind: 'private',
  });
  await ana.page.goto(`/rooms/${room.room}/details`);
  await panel(ana.page).getByRole('button', { name: 'Add people' }).click();
  await ana.page.getByRole('combobox', { name: 'People to add' }).fill(bo.name);
  await ana.page.getByRole('option', { name: bo.name }).click();
  await ana.page.getByRole('dialog').getByRole('button', { name: 'Add', exact: true }).click();
  await expect(member(ana.page, bo.name).getByRole('img', { name: 'online' })).toBeVisible();

  await bo.page.goto(`/rooms/${room.room}/details`);
  await expect(member(bo.page, ana.name)).toContainText('Owner');
  await choose(ana.page, bo.name, 'Make moderator');
  await expect(member(ana.page, bo.name)).toContainText('Moderator');
  await expect(panel(bo.page).getByRole('button', { name: 'Archive room' })).toBeVisible();

  await panel(ana.page).getByRole('button', { name: 'Leave room' }).click();
  await ana.page.getByRole('dialog').getByRole('button', { name: 'Leave' }).click();
  await expect(panel(ana.page).getByRole('alert')).toContainText('only owner');

  await choose(ana.page, bo.name, 'Remove from the room');
  await ana.page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await expect(member(ana.page, bo.name)).toHaveCount(0);
  await expect(bo.page.getByRole('heading', { name: 'Secret garden' })).toHaveCount(0);
  await expect(bo.page.getByRole('main')).toContainText(/not among yours|no longer|private|removed/i);
});

test('a room is muted, archived, left, and deleted', async ({ someone }) => {
  const ana = await someone('ana');
  const bo = await someone('bo');
  const room = await roomFor(ana, bo);
  await opener(bo.page).click();
  await panel(bo.page).getByRole('radio', { name: 'Mute' }).check();
  await expect(bo.page.getByRole('img', { name: 'Muted' })).toBeVisible();
  await panel(bo.page).getByRole('button', { name: 'Leave room' }).click();
  await expect(bo.page).not.toHaveURL(new RegExp(room));

  await opener(ana.page).click();
  await expect(member(ana.page, bo.name)).toHaveCount(0);
  await panel(ana.page).getByRole('button', { name: 'Archive room' }).click();
  await expect(ana.page.getByRole('img', { name: 'Archived' })).toBeVisible();
  await expect(panel(ana.page).getByRole('button', { name: 'Unarchive room' })).toBeFocused();
  await panel(ana.page).getByRole('button', { name: 'Delete room' }).click();
  const dialog = ana.page.getByRole('dialog');
  const destroy = dialog.getByRole('button', { name: 'Delete room' });
  await expect(destroy).toBeDisabled();
  await dialog.getByRole('textbox').fill(await ana.page.locator('h1').innerText());
  await destroy.click();
  await expect(ana.page).not.toHaveURL(new RegExp(room));
  await expect(composer(ana.page)).toBeVisible();
});

test('on a phone: room, details, and the browser’s Back', async ({ someone }) => {
  const { page } = await someone('ana');
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto('/');
  await page.getByRole('navigation', { name: 'Rooms and people' }).getByRole('link', { name: /lobby/i }).click();
  await expect(page.getByRole('heading', { level: 1 })).toBeFocused();
  await opener(page).click();
  await expect(page.getByRole('heading', { name: 'Details' })).toBeFocused();
  await expect(composer(page)).toBeHidden();
  await page.goBack();
  await expect(panel(page)).toHaveCount(0);
  await expect(composer(page)).toBeVisible();
  await expect(opener(page)).toBeFocused();
  await page.getByRole('button', { name: 'Back to rooms' }).click();
  await expect(page.getByRole('navigation', { name: 'Rooms and people' })).toBeVisible();
});
