/** Reactions and pins: by mouse and by keys, live for everyone. */

import type { Locator, Page } from '@playwright/test';
import { expect, test } from './fixtures';
import { command, roomFor, say, timeline } from './people';

const row = (page: Page, text: string) => timeline(page).getByRole('listitem').filter({ hasText: text });
const chip = (where: Page | Locator, emoji: string) => where.getByRole('button', { name: new RegExp(`^${emoji} `) });
const quickReaction = (page: Page, emoji: string) => page.getByRole('menuitemcheckbox', { name: emoji });
const panel = (page: Page) => page.getByRole('complementary', { name: 'Details' });
const pins = (page: Page) => panel(page).getByRole('region', { name: /^Pinned/ });

async function fromMenu(page: Page, text: string, item: string): Promise<void> {
  await row(page, text).hover();
  await row(page, text).getByRole('button', { name: 'More actions' }).click();
  await page.getByRole('menuitem', { name: item }).click();
}

test('a reaction by mouse appears live for others, who add theirs and remove it', async ({ someone }) => {
  const bo = await someone('bo');
  await command(bo, 'PATCH', '/api/me', { display_name: 'Bo Berg' });
  const ana = await someone('ana');
  await roomFor(ana, bo);
  await say(ana, 'Cake at four');
  await row(bo.page, 'Cake').hover();
  await row(bo.page, 'Cake').getByRole('button', { name: 'React' }).click();
  await quickReaction(bo.page, '👍').click();

  const mine = chip(row(bo.page, 'Cake'), '👍');
  await expect(mine).toHaveAttribute('aria-pressed', 'true');
  await expect(mine).toHaveAccessibleName('👍 1: you');
  const hers = chip(row(ana.page, 'Cake'), '👍');
  await expect(hers).toHaveAttribute('aria-pressed', 'false');
  // People who have not written anything yet are also shown by name.
  await expect(hers).toHaveAccessibleName('👍 1: Bo Berg');
  // Only the author of the message gets the announcement.
  await expect(ana.page.locator('[aria-live=polite]')).toContainText('Bo Berg reacted to your message with 👍');

  await hers.click();
  await expect(mine).toHaveAccessibleName(`👍 2: ${ana.name}, you`);
  await expect(hers).toHaveAccessibleName('👍 2: Bo Berg, you');
  await mine.hover();
  await expect(row(bo.page, 'Cake').getByText(`👍 ${ana.name}, you`)).toBeVisible();
  await mine.click();
  await expect(mine).toHaveAttribute('aria-pressed', 'false');
  await expect(hers).toHaveAccessibleName('👍 1: you');
  await hers.click();
  await expect(hers).toHaveCount(0);
  await expect(mine).toHaveCount(0);
});

test('a reaction with the keyboard alone, using the complete picker', async ({ someone }) => {
  const ana = await someone('ana');
  const bo = await someone('bo');
  await roomFor(ana, bo);
  await say(bo, 'The ship is here');
  const { page } = ana;
  const message = row(page, 'The ship');
  await message.focus();
  await page.keyboard.press('e');
  await expect(quickReaction(page, '👍')).toBeFocused();
  await page.keyboard.press('ArrowRight');
  await expect(quickReaction(page, '❤️')).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(message).toBeFocused();

  await page.keyboard.press('e');
  await expect(quickReaction(page, '👍')).toBeFocused();
  await page.keyboard.press('End');
  await expect(page.getByRole('menuitem', { name: 'More emoji…' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('searchbox', { name: /emoji/i })).toBeFocused();
  await page.keyboard.type('sailboat');
  await expect(page.getByRole('button', { name: 'sailboat' })).toBeVisible();
  await page.keyboard.press('Enter');
  await expect(message).toBeFocused();
  await expect(chip(message, '⛵')).toHaveAttribute('aria-pressed', 'true');
  await expect(chip(row(bo.page, 'The ship'), '⛵')).toHaveAccessibleName(`⛵ 1: ${ana.name}`);

  // From the row, Tab leads to the marks below its text, which say who pinned it.
  await page.keyboard.press('Tab');
  await expect(chip(message, '⛵')).toBeFocused();
  await expect(message.getByText('⛵ you')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(message.getByText('⛵ you')).toBeHidden();
  await page.keyboard.press('Enter');
  await expect(chip(message, '⛵')).toHaveCount(0);
});

test('the most used emoji come first, and survive a reload with the reaction', async ({ someone }) => {
  const ana = await someone('ana');
  const { page } = ana;
  await roomFor(ana);
  await say(ana, 'So it is done');
  await row(page, 'So it').hover();
  await row(page, 'So it').getByRole('button', { name: 'React' }).click();
  await quickReaction(page, '✅').click();
  await expect(chip(row(page, 'So it'), '✅')).toHaveAttribute('aria-pressed', 'true');
  await page.reload();
  await expect(chip(row(page, 'So it'), '✅')).toHaveAttribute('aria-pressed', 'true');
  await row(page, 'So it').hover();
  await row(page, 'So it').locator('[data-actions]').getByRole('button', { name: 'React' }).click();
  await expect(page.getByRole('menuitemcheckbox').first()).toHaveText('✅');
  await expect(page.getByRole('menuitemcheckbox').first()).toBeChecked();
});

test('a message is pinned, found in the details, visited and unpinned', async ({ someone }) => {
  const ana = await someone('ana');
  const bo = await someone('bo');
  const room = await roomFor(ana, bo);
  await say(ana, 'The door code is 4711');
  await bo.page.goto(`/rooms/${room}/details`);
  await expect(pins(bo.page)).toContainText('Nothing is pinned here yet.');

  await fromMenu(ana.page, 'The door code', 'Pin to room');
  await expect(row(ana.page, 'The door code')).toContainText('Pinned by you');
  await expect(row(bo.page, 'The door code')).toContainText(`Pinned by ${ana.name}`);
  await expect(pins(bo.page)).toHaveAccessibleName('Pinned 1');
  await expect(pins(bo.page).getByRole('listitem')).toContainText('The door code is');
  await pins(bo.page).getByRole('link', { name: /The door code/ }).click();
  await expect(bo.page).toHaveURL(new RegExp(`/rooms/${room}/1$`));

  await bo.page.goto(`/rooms/${room}/details`);
  await pins(bo.page).getByRole('button', { name: `Unpin the message by ${ana.name}` }).click();
  await expect(pins(bo.page)).toContainText('Nothing is pinned here yet.');
  await expect(pins(bo.page).getByRole('heading')).toBeFocused();
  await expect(row(ana.page, 'The door code')).not.toContainText('Pinned');
});

test('on a phone the emoji are above the menu of a message, and pins are in the details', async ({ someone }) => {
  const ana = await someone('ana');
  const { page } = ana;
  const room = await roomFor(ana);
  await say(ana, 'Bring an umbrella');
  await page.setViewportSize({ width: 390, height: 844 });
  await row(page, 'Bring').getByRole('button', { name: 'More actions' }).click();
  await quickReaction(page, '🎉').click();
  await expect(chip(row(page, 'Bring'), '🎉')).toHaveAttribute('aria-pressed', 'true');
  await row(page, 'Bring').getByRole('button', { name: 'More actions' }).click();
  await page.getByRole('menuitem', { name: 'Pin to room' }).click();
  await expect(row(page, 'Bring')).toContainText('Pinned by you');
  await page.goto(`/rooms/${room}/details`);
  await pins(page).getByRole('link', { name: /Bring an umbrella/ }).click();
  await expect(row(page, 'Bring')).toBeVisible();
  await expect(panel(page)).toHaveCount(0);
});

test('the end of the timeline stays visible, and nobody can react in an archived room', async ({ someone }) => {
  const ana = await someone('ana');
  const room = await roomFor(ana);
  for (let line = 1; line <= 30; line += 1) {
    await command(ana, 'POST', `/api/rooms/${room}/messages`, { text: `Line ${line}.` });
  }
  await expect(row(ana.page, 'Line 30.')).toBeInViewport({ ratio: 1 });
  await command(ana, 'PUT', `/api/rooms/${room}/messages/30/reactions/${encodeURIComponent('👍')}`);
  await expect(chip(row(ana.page, 'Line 30.'), '👍')).toBeInViewport({ ratio: 1 });

  await command(ana, 'PATCH', `/api/rooms/${room}`, { archived: true });
  const last = row(ana.page, 'Line 30.');
  await expect(chip(last, '👍')).toHaveAttribute('aria-disabled', 'true');
  await last.hover();
  await expect(last.getByRole('button', { name: 'More actions' })).toBeVisible();
  await expect(last.getByRole('button', { name: 'React' })).toHaveCount(0);
  await chip(last, '👍').click({ force: true });
  await expect(chip(last, '👍')).toHaveAccessibleName('👍 1: you');
});
