/** Mentions, saved messages, drafts on two devices, forwarding and quoting. */

import type { Browser, Page } from '@playwright/test';
import { expectClean } from './axe';
import { expect, PASSWORD, test, watch, type Someone } from './fixtures';
import { command, composer, fetchMessages, roomFor, say, timeline } from './people';
import type { Server } from './server';

const list = (page: Page) => page.getByRole('navigation', { name: 'Rooms and people' });
const linkTo = (page: Page, name: string | RegExp) => list(page).getByRole('link', { name });
const main = (page: Page) => page.getByRole('main');
const row = (page: Page, text: string) =>
  timeline(page).getByRole('listitem').filter({ hasText: text });

/** Opens the menu of a message with the mouse. */
async function act(page: Page, text: string, item: string): Promise<void> {
  await row(page, text).hover();
  await row(page, text).getByRole('button', { name: 'More actions' }).click();
  await page.getByRole('menuitem', { name: item }).click();
}

/** The same person in another browser. */
async function signInAgain(browser: Browser, server: Server, who: Someone, problems: string[]): Promise<Someone> {
  const context = await browser.newContext({ baseURL: server.url });
  const answer = await context.request.post('/api/sign-in', {
    data: { name: who.name, password: PASSWORD },
    headers: { Origin: server.url },
  });
  expect(answer.ok(), await answer.text()).toBe(true);
  const page = await context.newPage();
  watch(page, problems);
  return { name: who.name, context, page };
}

/** A room with more members than one may mention without a confirmation. */
async function addMembers(browser: Browser, server: Server, room: string): Promise<void> {
  const context = await browser.newContext({ baseURL: server.url });
  for (let nth = 0; nth < 20; nth += 1) {
    const headers = { Origin: server.url };
    const name = `crowd-${room}-${nth}`.slice(-32).replace(/^[^a-z]+/, '');
    const joined = [
      await context.request.post('/api/sign-up', { data: { name, password: PASSWORD }, headers }),
      await context.request.post(`/api/rooms/${room}/join`, { data: {}, headers }),
    ];
    for (const answer of joined) expect(answer.ok(), await answer.text()).toBe(true);
  }
  await context.close();
}

test('a mass mention needs a confirmation, and appears in the mentions of others', async ({
  someone,
  browser,
  server,
}) => {
  const ana = await someone('ana');
  const bo = await someone('bo');
  const room = await roomFor(ana, bo);
  await addMembers(browser, server, room);
  await expect(main(ana.page).getByText('22 members')).toBeVisible();
  await bo.page.goto('/mentions');
  await expect(bo.page.getByText('Nobody has mentioned you yet.')).toBeVisible();

  // With the keyboard alone: complete, cancel, and then send.
  await composer(ana.page).pressSequentially('Lunch, @roo');
  await expect(ana.page.getByRole('option', { name: '@room' })).toContainText('all 22 members');
  await ana.page.keyboard.press('Enter');
  await expect(composer(ana.page)).toHaveValue('Lunch, @room ');
  await ana.page.keyboard.type('now!');
  await ana.page.keyboard.press('Enter');
  const dialog = ana.page.getByRole('dialog', { name: 'Notify everybody?' });
  await expect(dialog).toContainText('This will notify 22 people. Send it?');
  await expect(dialog.getByRole('button', { name: 'Send' })).toBeFocused();
  await expectClean(ana.page, 'the question');
  await ana.page.keyboard.press('Escape');
  await expect(dialog).toBeHidden();
  await expect(composer(ana.page)).toBeFocused();
  await expect(composer(ana.page)).toHaveValue('Lunch, @room now!');
  await ana.page.keyboard.press('Enter');
  await expect(dialog.getByRole('button', { name: 'Send' })).toBeFocused();
  await ana.page.keyboard.press('Enter');
  await expect(row(ana.page, 'Lunch, @room now!')).toBeVisible();
  await say(ana, 'No question here');

  // It appears on the open page, and is counted in the sidebar.
  const card = main(bo.page).getByRole('link', { name: /Lunch, @room now!/ });
  await expect(card).toHaveAccessibleName(/unread/);
  await expect(linkTo(bo.page, /^Mentions/)).toHaveAccessibleName(/1 mention/);
  await expectClean(bo.page, 'mentions');
  await bo.page.getByRole('button', { name: 'Unread', exact: true }).click();
  await card.click();
  await expect(bo.page).toHaveURL(new RegExp(`/rooms/${room}/1$`));
  await expect(row(bo.page, 'Lunch, @room now!')).toHaveClass(/mention/);
  await expect(linkTo(bo.page, /^Mentions/)).not.toHaveAccessibleName(/1 mention/);
  await linkTo(bo.page, /^Mentions/).click();
  await expect(card).not.toHaveAccessibleName(/unread/);
  await bo.page.getByRole('button', { name: 'Unread', exact: true }).click();
  await expect(bo.page.getByText('You have no unread mentions.')).toBeVisible();
});

test('a mention shows the current name', async ({ someone }) => {
  const ana = await someone('ana');
  const bo = await someone('bo');
  const cy = await someone('cy');
  await roomFor(ana, bo, cy);
  await say(ana, `Ask @${cy.name} about it`);
  await command(cy, 'PATCH', '/api/me', { display_name: 'Cyra Novak' });
  await expect(timeline(bo.page).getByText('@Cyra Novak')).toBeVisible();
  await expect(timeline(ana.page).getByText('@Cyra Novak')).toBeVisible();
  await bo.page.reload();
  await expect(timeline(bo.page).getByText('@Cyra Novak')).toBeVisible();
});

test('a message is saved with a note on all devices, and removed again', async ({
  someone,
  browser,
  server,
  problems,
}) => {
  const ana = await someone('ana');
  const bo = await someone('bo');
  const room = await roomFor(ana, bo);
  await say(bo, 'The key is under the mat');
  await say(bo, 'The code is 0000');
  const other = await signInAgain(browser, server, ana, problems);
  await other.page.goto('/saved');
  await expect(other.page.getByText('Nothing is saved yet')).toBeVisible();

  for (const [text, note] of [['The key is under the mat', 'for Friday'], ['The code is 0000', '']] as const) {
    await act(ana.page, text, 'Save for later');
    const dialog = ana.page.getByRole('dialog', { name: 'Save for later' });
    await expect(dialog.getByLabel('Note')).toBeFocused();
    await dialog.getByLabel('Note').fill(note);
    await ana.page.keyboard.press('Enter');
    await expect(dialog).toBeHidden();
  }
  const items = main(other.page).getByRole('listitem');
  await expect(items).toHaveText([/The code is 0000/, /The key is under the mat.*for Friday/s]);
  await expectClean(other.page, 'saved');
  await items.filter({ hasText: 'Friday' }).getByRole('button', { name: 'Edit note' }).click();
  await other.page.getByRole('textbox', { name: 'Note' }).fill('for Saturday');
  await other.page.keyboard.press('Enter');
  await expect(items.filter({ hasText: 'for Saturday' })).toBeVisible();

  // A deleted message keeps its note, and can be removed from the list.
  const [, code] = await fetchMessages(ana, room);
  await command(bo, 'DELETE', `/api/rooms/${room}/messages/${code?.seq}`);
  await expect(items.first()).toContainText('This message was deleted, or you can no longer read it.');
  await items.first().getByRole('button', { name: /^Remove/ }).click();
  await expect(items).toHaveCount(1);
  await act(ana.page, 'The key is under the mat', 'Remove from saved');
  await expect(other.page.getByText('Nothing is saved yet')).toBeVisible();
  await other.context.close();
});

test('a draft continues on another device, and is gone after sending', async ({
  someone,
  browser,
  server,
  problems,
}) => {
  const ana = await someone('ana');
  const room = await roomFor(ana);
  const other = await signInAgain(browser, server, ana, problems);
  await other.page.goto('/rooms/lobby');
  await expect(composer(other.page)).toBeVisible();

  await composer(ana.page).pressSequentially('Half a thought');
  const mark = list(other.page).locator(`a[href="/rooms/${room}"]`);
  await expect(mark).toHaveAccessibleName(/Draft/);
  await mark.click();
  await expect(composer(other.page)).toHaveValue('Half a thought');
  await composer(other.page).press('End');
  await other.page.keyboard.type(', finished');
  await expect(composer(ana.page)).toHaveValue('Half a thought, finished');
  await other.page.keyboard.press('Enter');
  await expect(row(ana.page, 'Half a thought, finished')).toBeVisible();
  await expect(composer(ana.page)).toHaveValue('');

  // Both write offline: neither text is lost.
  await other.context.setOffline(true);
  await composer(other.page).fill('from the train');
  await composer(ana.page).fill('from the desk');
  await expect
    .poll(() => command<{ drafts: { text: string }[] }>(ana, 'GET', '/api/drafts'))
    .toMatchObject({ drafts: [{ text: 'from the desk' }] });
  await other.page.getByRole('heading', { level: 1 }).click();
  await other.context.setOffline(false);
  await expect(composer(other.page)).toHaveValue(/from the train\nfrom the desk/);
  await other.context.close();
});

test('a message is forwarded; its link works for those who may read the original', async ({ someone }) => {
  const ana = await someone('ana');
  const bo = await someone('bo');
  const cy = await someone('cy');
  const to = await roomFor(ana, bo, cy);
  const made = await command<{ room: { room: string } }>(ana, 'POST', '/api/rooms', {
    title: 'Secret',
    kind: 'private',
    members: [bo.name],
  });
  const secret = made.room.room;
  await ana.page.goto(`/rooms/${secret}`);
  await say(ana, 'The cake is ready');

  // With the keyboard alone.
  const { page } = ana;
  await row(page, 'The cake is ready').focus();
  // The actions of a message are loaded when they are first needed.
  await expect(row(page, 'The cake is ready').getByRole('button', { name: 'More actions' })).toBeVisible();
  await page.keyboard.press('Enter');
  // The menu focuses its first item once it is drawn.
  await expect(page.locator('[role=menuitem]:focus')).toBeVisible();
  await page.getByRole('menuitem', { name: 'Forward…' }).focus();
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Forward message' });
  await expect(dialog.getByRole('combobox', { name: 'To' })).toBeFocused();
  await expectClean(page, 'forwarding');
  await page.keyboard.type(to);
  await expect(dialog.getByRole('option')).toHaveCount(1);
  await page.keyboard.press('Enter');
  await expect(dialog.getByLabel('Comment')).toBeFocused();
  await page.keyboard.type('Hear, hear');
  await dialog.getByRole('button', { name: 'Forward' }).click();
  await expect(dialog).toContainText('Forwarded to #');
  await expect(dialog.getByRole('link', { name: 'Go there' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(new RegExp(`/rooms/${to}$`));
  await expect(row(page, 'Hear, hear')).toContainText('The cake is ready');
  await expectClean(page, 'a forwarded message');

  const back = (who: Someone) => row(who.page, 'Hear, hear').getByRole('link', { name: /^original/ });
  await expect(back(bo)).toHaveText('original in #Secret');
  await back(bo).click();
  await expect(bo.page).toHaveURL(new RegExp(`/rooms/${secret}/1$`));
  await expect(row(bo.page, 'The cake is ready')).toBeVisible();
  await expect(back(cy)).toHaveText('original');
  await back(cy).click();
  await expect(main(cy.page)).toContainText('does not exist, or it is private');
});

test('a quote starts on its own line', async ({ someone }) => {
  const ana = await someone('ana');
  await roomFor(ana);
  await say(ana, 'To be');
  await composer(ana.page).pressSequentially('See:');
  await act(ana.page, 'To be', 'Quote');
  await expect(composer(ana.page)).toHaveValue('See:\n> To be\n\n');
  await expect(composer(ana.page)).toBeFocused();
  await ana.page.keyboard.type('or not');
  await ana.page.keyboard.press('Enter');
  await expect(row(ana.page, 'or not').getByRole('blockquote')).toHaveText('To be');
});
