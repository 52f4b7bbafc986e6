/** axe finds no problems on any page: light and dark, on a desktop and on a phone. */

import { expectClean } from './axe';
import { expect, test } from './fixtures';
import { command, composer, roomFor, say } from './people';
import { Server } from './server';

test('the sign-in pages', async ({ browser }) => {
  const server = await Server.start(['--guests']);
  try {
    const context = await browser.newContext({ baseURL: server.url });
    const page = await context.newPage();
    for (const path of ['/sign-in', '/sign-up', `/join/${server.takeOwnerInvite() ?? ''}`]) {
      await page.goto(path);
      await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
      await expectClean(page, path);
    }
    await context.close();
  } finally {
    await server.stop();
  }
});

const TALK = [
  'Morning! **Bold**, *italic*, ~~gone~~, `code`, [a link](https://example.org/), https://example.org',
  '```python\ndef greet(name: str) -> str:\n    return f"Hello, {name}!"  # 42\n```',
  '> quoted\n\n- one\n- two\n  1. three\n- [ ] to do\n- [x] done',
  '| a | b |\n|---|---|\n| 1 | 2 |',
  '👍',
];

test('a room, and a message’s menu', async ({ someone }) => {
  const ana = await someone('ana');
  const bo = await someone('bo');
  const room = await roomFor(ana, bo);
  const post = (text: string, reply_to?: number) =>
    command(bo, 'POST', `/api/rooms/${room}/messages`, { text, reply_to });
  for (const text of TALK) await post(text);
  await post(`@${ana.name} could you look at this?`, 1);
  await say(ana, 'On it.');
  const { page } = ana;
  await expectClean(page, 'a room');

  const row = page.getByRole('listitem').filter({ hasText: 'On it.' });
  await row.hover();
  await row.getByRole('button', { name: 'More actions' }).click();
  await expect(page.getByRole('menuitem', { name: 'Edit' })).toBeVisible();
  await expectClean(page, 'a message’s menu');
  await page.getByRole('menuitem', { name: 'Edit' }).click();
  await expectClean(page, 'editing');
});

test('reactions and pins', async ({ someone }) => {
  const ana = await someone('ana');
  const bo = await someone('bo');
  const room = await roomFor(ana, bo);
  await say(ana, 'Cake at four');
  const message = `/api/rooms/${room}/messages/1`;
  for (const who of [ana, bo]) await command(who, 'PUT', `${message}/reactions/${encodeURIComponent('👍')}`);
  await command(bo, 'PUT', `${message}/reactions/${encodeURIComponent('🎉')}`);
  await command(bo, 'PUT', `${message}/pin`);
  const { page } = ana;
  await page.goto(`/rooms/${room}/details`);
  const row = page.getByRole('log').getByRole('listitem').filter({ hasText: 'Cake' });
  await expect(row).toContainText('Pinned by');
  await expect(page.getByRole('region', { name: 'Pinned 1' })).toContainText('Cake');
  await row.focus();
  await page.keyboard.press('Tab');
  await expect(row.getByText(`👍 ${bo.name}, you`)).toBeVisible();
  await expectClean(page, 'reactions and pins');

  await page.goto(`/rooms/${room}`);
  await row.focus();
  await page.keyboard.press('e');
  await expect(page.getByRole('menuitemcheckbox').first()).toBeFocused();
  await expectClean(page, 'what to react with');
  await page.keyboard.press('End');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('searchbox', { name: 'Find an emoji' })).toBeFocused();
  await page.keyboard.type('heart');
  await expect(page.getByRole('dialog').getByRole('button', { name: /heart/i }).first()).toBeVisible();
  await expectClean(page, 'all emoji to react with');
});

test('threads', async ({ someone }) => {
  const ana = await someone('ana');
  const bo = await someone('bo');
  const room = await roomFor(ana, bo);
  await command(ana, 'POST', `/api/rooms/${room}/messages`, { text: 'Who reads this?' });
  await command(bo, 'POST', `/api/rooms/${room}.1/messages`, { text: 'I do' });
  const { page } = ana;
  await expect(page.getByRole('link', { name: /^1 reply, unread/ })).toBeVisible();
  await expectClean(page, 'a message with answers');
  await page.goto('/threads');
  await expect(page.getByRole('main').getByRole('listitem')).toContainText('I do');
  await expectClean(page, 'the threads');
  await page.goto(`/rooms/${room}/1/thread`);
  await expect(page.getByRole('log', { name: 'Replies' })).toContainText('I do');
  await expectClean(page, 'a thread');
  await page.goto('/threads');
  await page.getByRole('button', { name: 'Unread', exact: true }).click();
  await expect(page.getByText('You have read everything in your threads.')).toBeVisible();
  await expectClean(page, 'no threads');
});

test('completion, toolbar and pickers', async ({ someone }) => {
  const ana = await someone('ana');
  const bo = await someone('bo');
  await roomFor(ana, bo);
  const { page } = ana;
  await composer(page).pressSequentially(`@${bo.name.slice(0, 3)}`);
  await expect(page.getByRole('option').first()).toBeVisible();
  await expectClean(page, 'completion');
  await composer(page).fill('');

  await page.getByRole('button', { name: 'Emoji' }).click();
  // All 1,900 emoji would take axe half a minute, and they are all alike.
  await page.keyboard.type('heart');
  await expect(page.getByRole('dialog').getByRole('button', { name: /heart/i }).first()).toBeVisible();
  await expectClean(page, 'the emoji picker');
  await page.keyboard.press('Escape');

  await page.getByRole('button', { name: 'Details' }).click();
  await expect(page.getByRole('complementary')).toContainText(bo.name);
  await expectClean(page, 'room details');
});

test('everything around rooms', async ({ owner }) => {
  const { page } = await owner();
  await expect(composer(page)).toBeVisible();
  await page.keyboard.press('Control+k');
  await expect(page.getByRole('dialog')).toBeVisible();
  await expectClean(page, 'the switcher');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Control+/');
  await expect(page.getByRole('dialog')).toBeVisible();
  await expectClean(page, 'keyboard help');
  await page.keyboard.press('Escape');
  for (const name of ['Create a room', 'New message']) {
    await page.getByRole('button', { name }).click();
    await expect(page.getByRole('dialog')).toBeVisible();
    await expectClean(page, name);
    await page.keyboard.press('Escape');
  }
  await page.goto('/browse');
  await expect(page.getByRole('main')).toContainText(/lobby/i);
  await expectClean(page, 'browse');
  await page.goto('/rooms/there-is-none');
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  await expectClean(page, 'an unknown room');
});

test('being added to a room by somebody, and blocking them', async ({ someone }) => {
  const maya = await someone('maya');
  const { page, name } = await someone('bo');
  const { room } = await command<{ room: { room: string } }>(maya, 'POST', '/api/rooms', {
    title: 'Party', kind: 'private', members: [name],
  });
  await page.goto(`/rooms/${room.room}`);
  const banner = page.getByRole('region', { name: 'Who added you' });
  await expect(banner).toBeVisible();
  await expectClean(page, 'a room that one was added to');
  await banner.getByRole('button', { name: /^Block/ }).click();
  await expect(page.getByRole('dialog')).toBeVisible();
  await expectClean(page, 'asking to block');
});

test('settings', async ({ owner }) => {
  const { page } = await owner();
  const sections = ['profile', 'password', 'devices', 'appearance', 'blocked', 'server', 'people', 'invites', 'about'];
  for (const section of sections) {
    await page.goto(`/settings/${section}`);
    await expect(page.getByRole('heading', { level: 2 }).first()).toBeVisible();
    await expectClean(page, section);
  }
});
