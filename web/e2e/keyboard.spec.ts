/** Everything with the keyboard alone: no test here uses the mouse or sets the focus. */

import type { Page } from '@playwright/test';
import { expect, PASSWORD, test } from './fixtures';
import { command, timeline } from './people';

/** Presses Tab until an element with this name has the focus. */
async function tabTo(page: Page, name: RegExp, { back = false } = {}): Promise<void> {
  for (let step = 0; step < 60; step += 1) {
    const focused = await page.evaluate(() => {
      const at = document.activeElement;
      if (!at || at === document.body) return '';
      const labelled = at.getAttribute('aria-labelledby');
      const label = labelled ? document.getElementById(labelled)?.textContent : null;
      const labels = (at as HTMLInputElement).labels;
      return at.getAttribute('aria-label') ?? label ?? labels?.[0]?.textContent ?? at.textContent ?? '';
    });
    if (name.test(focused.trim())) return;
    await page.keyboard.press(back ? 'Shift+Tab' : 'Tab');
  }
  throw new Error(`Tab never came to ${name}.`);
}

test('sign in, join, post, edit, reply, switch the room, sign out', async ({
  someone,
  browser,
  server,
}) => {
  const bo = await someone('bo');
  const ana = await someone('ana');
  const room = `keys-${Date.now().toString(36)}`;
  await command(bo, 'POST', '/api/rooms', { title: 'Keys', room });
  await command(bo, 'POST', `/api/rooms/${room}/messages`, { text: 'Who needs a mouse?' });

  const context = await browser.newContext({ baseURL: server.url });
  const page = await context.newPage();
  const { keyboard } = page;
  await page.goto('/sign-in');
  await expect(page.getByRole('button', { name: 'Sign in' })).toBeVisible();
  await tabTo(page, /^Name/);
  await keyboard.type(ana.name);
  await tabTo(page, /^Password/);
  await keyboard.type(PASSWORD);
  await keyboard.press('Enter');
  await expect(page.getByRole('textbox', { name: /^Message/ })).toBeFocused();

  await keyboard.press('Control+k');
  await expect(page.getByRole('combobox')).toBeFocused();
  await keyboard.type(room);
  await expect(page.getByRole('option', { name: /Keys/ })).toBeVisible();
  await keyboard.press('Enter');
  await expect(page).toHaveURL(new RegExp(room));
  await tabTo(page, /^Join$/);
  await keyboard.press('Enter');

  await expect(page.getByRole('textbox', { name: /^Message/ })).toBeVisible();
  await tabTo(page, /^Message #/);
  await keyboard.type('Not me');
  await keyboard.press('Enter');
  await expect(timeline(page).getByText('Not me', { exact: true })).toBeVisible();

  await keyboard.press('ArrowUp');
  await expect(page.getByRole('button', { name: 'Save' })).toBeVisible();
  await keyboard.type('!');
  await keyboard.press('Enter');
  await expect(timeline(page).getByText('Not me!', { exact: true })).toBeVisible();

  const bos = page.getByRole('listitem').filter({ hasText: 'Who needs a mouse?' });
  await page.keyboard.press('Shift+Tab');
  for (let step = 0; step < 40; step += 1) {
    const inLog = await page.evaluate(() => document.activeElement?.closest('[role=log] li') !== null);
    if (inLog) break;
    await keyboard.press('Shift+Tab');
  }
  await keyboard.press('Home');
  await expect(bos).toBeFocused();
  await keyboard.press('r');
  await expect(page.getByRole('textbox', { name: /^Message/ })).toBeFocused();
  await keyboard.type('Nobody here');
  await keyboard.press('Enter');
  const reply = page.getByRole('listitem').filter({ hasText: 'Nobody here' });
  await expect(reply).toContainText('Who needs a mouse?');

  await keyboard.press('Alt+ArrowUp');
  await expect(page).not.toHaveURL(new RegExp(room));

  await tabTo(page, /^Your account/);
  await keyboard.press('Enter');
  await expect(page.getByRole('menuitem').first()).toBeFocused();
  await keyboard.press('End');
  await expect(page.getByRole('menuitem', { name: 'Sign out' })).toBeFocused();
  await keyboard.press('Enter');
  const confirm = page.getByRole('dialog').getByRole('button', { name: /^Sign out/ });
  const signInButton = page.getByRole('button', { name: 'Sign in' });
  await expect(confirm.or(signInButton).first()).toBeVisible();
  if (await confirm.isVisible()) {
    await tabTo(page, /^Sign out/);
    await keyboard.press('Enter');
  }
  await expect(signInButton).toBeVisible();
  await context.close();
});
