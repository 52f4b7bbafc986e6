/** Being added to a room by somebody else, ways to leave it, and blocking people. */

import type { Page } from '@playwright/test';
import { expect, test, type Someone } from './fixtures';
import { command, composer, say } from './people';

const WIDTHS = [1280, 390];

const banner = (page: Page) => page.getByRole('region', { name: /added you|hinzugefügt/ });
const dialog = (page: Page) => page.getByRole('dialog');

let made = 0;

/** A new room with these other members, who were not asked. */
async function addToNewRoom(owner: Someone, kind: 'public' | 'private', ...others: Someone[]) {
  made += 1;
  const members = others.map(({ name }) => name);
  const title = `Party ${Date.now().toString(36)} ${made}`;
  const { room } = await command<{ room: { room: string } }>(owner, 'POST', '/api/rooms', {
    title, kind, members,
  });
  return room.room;
}

async function blockedBy(who: Someone): Promise<string[]> {
  const { people } = await command<{ people: { name: string }[] }>(who, 'GET', '/api/blocks');
  return people.map(({ name }) => name);
}

for (const width of WIDTHS) {
  test.describe(`at ${width} px`, () => {
    test.use({ viewport: { width, height: width < 720 ? 844 : 800 } });

    test('an added person sees by whom, and stays, with the keyboard alone', async ({ someone }) => {
      const maya = await someone('maya');
      const bo = await someone('bo');
      await command(maya, 'PATCH', '/api/me', { display_name: 'Maya' });
      const room = await addToNewRoom(maya, 'public', bo);
      await bo.page.goto(`/rooms/${room}`);
      await expect(banner(bo.page)).toContainText('Added by Maya');
      const box = await banner(bo.page).boundingBox();
      expect(box?.height).toBeLessThan(64);
      const wide = await bo.page.evaluate(() => document.documentElement.scrollWidth);
      expect(wide).toBeLessThanOrEqual(width);

      await banner(bo.page).getByRole('button', { name: 'Leave' }).focus();
      await bo.page.keyboard.press('Tab');
      await expect(banner(bo.page).getByRole('button', { name: 'Block Maya' })).toBeFocused();
      await bo.page.keyboard.press('Tab');
      await expect(banner(bo.page).getByRole('button', { name: 'Stay here' })).toBeFocused();
      await bo.page.keyboard.press('Enter');
      await expect(banner(bo.page)).toHaveCount(0);
      await bo.page.reload();
      await expect(composer(bo.page)).toBeVisible();
      await expect(banner(bo.page)).toHaveCount(0);
      // Its creator was not added by anybody.
      await maya.page.goto(`/rooms/${room}`);
      await expect(composer(maya.page)).toBeVisible();
      await expect(banner(maya.page)).toHaveCount(0);
    });

    test('the room can be left from there, a private one after a confirmation', async ({ someone }) => {
      const maya = await someone('maya');
      const bo = await someone('bo');
      const open = await addToNewRoom(maya, 'public', bo);
      await bo.page.goto(`/rooms/${open}`);
      await banner(bo.page).getByRole('button', { name: 'Leave' }).click();
      await expect(bo.page).not.toHaveURL(new RegExp(open));
      const closed = await addToNewRoom(maya, 'private', bo);
      await bo.page.goto(`/rooms/${closed}`);
      await banner(bo.page).getByRole('button', { name: 'Leave' }).click();
      await dialog(bo.page).getByRole('button', { name: 'Leave' }).click();
      await expect(bo.page).not.toHaveURL(new RegExp(closed));
      expect(await blockedBy(bo)).toEqual([]);
    });

    test('blocking leaves the room, takes effect, and is undone in the settings', async ({ someone }) => {
      const maya = await someone('maya');
      const bo = await someone('bo');
      await command(maya, 'PATCH', '/api/me', { display_name: 'Maya' });
      const room = await addToNewRoom(maya, 'private', bo);
      await bo.page.goto(`/rooms/${room}`);
      await banner(bo.page).getByRole('button', { name: 'Block Maya' }).click();
      await expect(dialog(bo.page)).toContainText('You also leave this room.');
      await dialog(bo.page).getByRole('button', { name: 'Block and leave' }).click();
      await expect(bo.page).not.toHaveURL(new RegExp(room));
      await expect(bo.page.getByText('Maya is blocked.').first()).toBeVisible();
      expect(await blockedBy(bo)).toEqual([maya.name]);
      await expect(command(maya, 'POST', `/api/rooms/${room}/members`, { user: bo.name })).rejects.toThrow(
        /cannot be added/,
      );

      await bo.page.goto('/settings/blocked');
      await bo.page.getByRole('button', { name: 'Unblock Maya' }).click();
      await expect(bo.page.getByText('You have not blocked anybody.')).toBeVisible();
      expect(await blockedBy(bo)).toEqual([]);
      await command(maya, 'POST', `/api/rooms/${room}/members`, { user: bo.name });
    });
  });
}

test('a conversation that somebody starts can be hidden or answered', async ({ someone }) => {
  const maya = await someone('maya');
  const bo = await someone('bo');
  const { room } = await command<{ room: { room: string } }>(maya, 'POST', '/api/direct', {
    users: [bo.name],
  });
  await command(maya, 'POST', `/api/rooms/${room.room}/messages`, { text: 'Do you know me?' });
  await bo.page.goto(`/rooms/${room.room}`);
  await expect(banner(bo.page)).toContainText(`${maya.name} started this conversation`);
  await expect(banner(bo.page).getByRole('button', { name: 'Hide' })).toBeVisible();
  // Replying means staying.
  await say(bo, 'Of course!');
  await expect(banner(bo.page)).toHaveCount(0);
});

test('somebody is blocked and unblocked from the list of members, on all devices', async ({
  someone,
}) => {
  const maya = await someone('maya');
  const bo = await someone('bo');
  const room = await addToNewRoom(maya, 'public', bo);
  const other = await bo.context.newPage();
  await other.goto('/settings/blocked');
  await expect(other.getByText('You have not blocked anybody.')).toBeVisible();
  await bo.page.goto(`/rooms/${room}/details`);
  const menu = bo.page.getByRole('button', { name: `Actions for ${maya.name}` });
  await menu.click();
  await bo.page.getByRole('menuitem', { name: 'Block' }).click();
  await dialog(bo.page).getByRole('button', { name: 'Block' }).click();
  await expect(other.getByRole('button', { name: `Unblock ${maya.name}` })).toBeVisible();
  await menu.click();
  await bo.page.getByRole('menuitem', { name: 'Unblock' }).click();
  await expect(other.getByText('You have not blocked anybody.')).toBeVisible();
  await expect(banner(bo.page)).toBeVisible();
});

test('in German', async ({ someone }) => {
  const maya = await someone('maya');
  const bo = await someone('bo');
  const room = await addToNewRoom(maya, 'public', bo);
  await bo.page.evaluate(() => localStorage.setItem('hubbub.language', 'de'));
  await bo.page.goto(`/rooms/${room}`);
  await expect(banner(bo.page)).toContainText(`Hinzugefügt von ${maya.name}`);
  await expect(banner(bo.page).getByRole('button', { name: 'Verlassen' })).toBeVisible();
  await expect(banner(bo.page).getByRole('button', { name: 'Hier bleiben' })).toBeVisible();
});
