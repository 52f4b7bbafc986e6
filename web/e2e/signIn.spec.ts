import type { BrowserContext, Page } from '@playwright/test';
import { expectAccessible } from './axe';
import { expect, PASSWORD, test, watch } from './fixtures';
import { Server } from './server';

const name = (page: Page) => page.getByRole('textbox', { name: 'Name', exact: true });
const password = (page: Page) => page.getByLabel('Password', { exact: true });
const composer = (page: Page) => page.getByRole('textbox', { name: /^Message/ });
const press = (page: Page, button: string) => page.getByRole('button', { name: button }).click();

async function withPassword(page: Page, who: string, button: string): Promise<void> {
  await name(page).fill(who);
  await password(page).fill(PASSWORD);
  await press(page, button);
}

/** The keys of everything the browser stores. */
function storageKeys(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    const databases = await indexedDB.databases();
    const stored = [...Object.keys(localStorage), ...Object.keys(sessionStorage)];
    return [...databases.map((one) => one.name ?? ''), ...stored].filter((key) =>
      key.startsWith('hubbub'),
    );
  });
}

async function endSessions(context: BrowserContext, server: Server): Promise<void> {
  const { sessions } = await (await context.request.get('/api/sessions')).json();
  for (const { session } of sessions as { session: string }[]) {
    const answer = await context.request.delete(`/api/sessions/${session}`, {
      headers: { Origin: server.url },
    });
    expect(answer.ok()).toBe(true);
  }
}

test('a new server: the owner’s link, an account, a name, who may join, an invite link', async ({
  browser,
  problems,
}) => {
  const server = await Server.start(['--no-guests']);
  try {
    const context = await browser.newContext({ baseURL: server.url });
    const page = await context.newPage();
    watch(page, problems);
    await page.goto('/');
    await expect(page.getByText('open the link that it printed')).toBeVisible();

    await page.goto(`/join/${server.takeOwnerInvite()}`);
    await expect(page.getByText('makes you the owner')).toBeVisible();
    await withPassword(page, 'Olivia', 'Create account');

    await expect(page.getByRole('heading', { name: 'Set up your server' })).toBeFocused();
    await expectAccessible(page, 'setting up');
    await page.getByLabel('What is your server called?').fill('Rowing club');
    await page.getByRole('radio', { name: 'People with an invite link' }).check();
    await page.getByRole('checkbox', { name: 'Allow guests' }).check();
    await press(page, 'Continue');

    await expect(page.getByRole('heading', { name: 'Your chat is ready' })).toBeFocused();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Rowing club');
    await expect(page.getByText('Whether guests are allowed is set by an option')).toBeVisible();
    await expectAccessible(page, 'a new server');
    const link = await page.getByLabel('Invite link').inputValue();
    await press(page, 'Open the chat');
    await expect(composer(page)).toBeVisible();

    const about = await (await context.request.get('/api/about')).json();
    expect(about).toMatchObject({ name: 'Rowing club', registration: 'invite', guests: false });

    // Somebody who is already signed in needs no invite, and is told so.
    await page.goto(link);
    await expect(page.getByText('You already have an account here').first()).toBeVisible();
    await expect(composer(page)).toBeVisible();
    await context.close();

    const other = await browser.newContext({ baseURL: server.url });
    const bo = await other.newPage();
    watch(bo, problems);
    await bo.goto('/sign-up');
    await expect(bo.getByText('You need an invite to create an account')).toBeVisible();
    await expect(name(bo)).toHaveCount(0);
    await bo.goto(link);
    await expect(bo).toHaveTitle('Rowing club');
    await withPassword(bo, 'bo', 'Create account');
    await expect(composer(bo)).toBeVisible();
    expect(new URL(bo.url()).pathname).toBe('/rooms/lobby');
    await other.close();
  } finally {
    await server.stop();
  }
});

test('forms show errors at their fields', async ({ page, someone, problems }) => {
  const { name: taken } = await someone('cleo');
  watch(page, problems);
  await page.goto('/sign-in');
  await press(page, 'Sign in');
  await expect(name(page)).toBeFocused();
  await expect(name(page)).toHaveAccessibleDescription('Enter your name.');
  await name(page).fill(taken);
  await password(page).fill('not that one');
  await press(page, 'Sign in');
  await expect(page.getByRole('alert').filter({ hasText: /name or the password/i })).toBeVisible();
  await expect(password(page)).toBeFocused();

  await page.getByRole('link', { name: 'Create an account' }).click();
  await name(page).fill('Dora Lee');
  await expect(name(page)).toHaveAccessibleDescription(/no spaces/);
  await name(page).fill('DoraLee');
  await expect(name(page)).toHaveAccessibleDescription('You will be @doralee');
  await password(page).fill('short');
  await press(page, 'Create account');
  await expect(password(page)).toBeFocused();
  await expect(password(page)).toHaveAccessibleDescription(/at least 8/);
  await press(page, 'Show what I type');
  await expect(password(page)).toHaveAttribute('type', 'text');
  await withPassword(page, taken.toUpperCase(), 'Create account');
  await expect(name(page)).toBeFocused();
  await expect(name(page)).toHaveAccessibleDescription(/taken/);
  await expectAccessible(page, 'what is wrong in forms');
});

test('an ended session is explained, and signing in leads back to the same room', async ({
  someone,
  server,
}) => {
  const { name: who, page, context } = await someone('eve');
  await expect(composer(page)).toBeVisible();
  await page.goto('/rooms/lobby/details');
  await expect(page.getByRole('navigation', { name: 'Rooms and people' })).toBeVisible();
  await endSessions(context, server);
  await expect(page.getByText('Your session has ended. Sign in again.').first()).toBeVisible();
  await withPassword(page, who, 'Sign in');
  await expect(page.getByRole('navigation', { name: 'Rooms and people' })).toBeVisible();
  expect(new URL(page.url()).pathname).toBe('/rooms/lobby/details');
});

test('signing out leaves nothing in the browser', async ({ someone }) => {
  const { page } = await someone('fay');
  await expect(composer(page)).toBeVisible();
  await page.evaluate(() => localStorage.setItem('hubbub.theme', 'dark'));
  await expect.poll(() => storageKeys(page)).toContain('hubbub.session');
  await page.getByRole('button', { name: 'Your account' }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await expect(page.getByText('You have signed out').first()).toBeVisible();
  expect(await storageKeys(page)).toEqual(['hubbub.theme']);
  await page.goto('/rooms/lobby');
  await expect(page.getByRole('button', { name: 'Sign in' })).toBeVisible();
  await expect(page.getByText('You have signed out')).toHaveCount(0);
});

test('a guest signs in, and gets an account', async ({ page, problems, server }, info) => {
  watch(page, problems);
  await page.goto('/rooms/lobby');
  await page.getByLabel('Guest name (optional)').fill('gus');
  await press(page, 'Continue as a guest');
  await expect(composer(page)).toBeVisible();
  expect((await storageKeys(page)).join()).toContain('~gus');

  await page.goto('/sign-up');
  await expect(page.getByRole('link', { name: 'Back to the chat' })).toBeVisible();
  const who = `gus${info.workerIndex}y`;
  await withPassword(page, who, 'Create account');
  await expect(composer(page)).toBeVisible();
  await expect.poll(async () => (await storageKeys(page)).join()).toContain(`:${who}:`);
  expect((await storageKeys(page)).join()).not.toContain('~gus');
  const { me } = await (await page.request.get(`${server.url}/api/me`)).json();
  expect(me).toMatchObject({ name: who });
});
