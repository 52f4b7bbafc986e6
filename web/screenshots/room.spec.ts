/** The screenshots of README and docs: the main states, light and dark, on a desktop and on a phone. */

import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContext, Page } from '@playwright/test';
import { expect, PASSWORD, test } from '../e2e/fixtures';
import { Server } from '../e2e/server';

const IMAGES = new URL('../../docs/images/', import.meta.url);
const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };

const PEOPLE = {
  grace: 'Grace Hopper',
  ada: 'Ada Lovelace',
  linus: 'Linus Berg',
  noor: 'Noor Haddad',
  you: 'Sam Okafor',
} as const;
type Name = keyof typeof PEOPLE;

/** A club's chat with a morning's conversation. */
class Club {
  private constructor(
    readonly server: Server,
    private readonly people: Record<Name, BrowserContext>,
  ) {}

  static async open(browser: Browser): Promise<Club> {
    const server = await Server.start(['--guests', '--registration', 'open']);
    const people = {} as Record<Name, BrowserContext>;
    for (const [name, displayName] of Object.entries(PEOPLE)) {
      const context = await browser.newContext({ baseURL: server.url });
      const invite = name === 'you' ? server.takeOwnerInvite() : null;
      const account = { name, display_name: displayName, password: PASSWORD, ...(invite && { invite }) };
      await context.request.post('/api/sign-up', { data: account, headers: { Origin: server.url } });
      people[name as Name] = context;
    }
    const club = new Club(server, people);
    await club.#talk();
    return club;
  }

  async ask(who: Name, method: string, path: string, data: object = {}): Promise<unknown> {
    const answer = await this.people[who].request.fetch(`/api/${path}`, {
      method,
      data,
      headers: { Origin: this.server.url },
    });
    expect(answer.ok(), `${path}: ${await answer.text()}`).toBe(true);
    return answer.json();
  }

  say(who: Name, room: string, text: string, reply_to?: number): Promise<unknown> {
    return this.ask(who, 'POST', `rooms/${room}/messages`, { text, reply_to });
  }

  async react(room: string, seq: number, emoji: string, ...people: Name[]): Promise<void> {
    const path = `rooms/${room}/messages/${seq}/reactions/${encodeURIComponent(emoji)}`;
    for (const who of people) await this.ask(who, 'PUT', path);
  }

  /** Somebody's page; the other people listed are online as well. */
  async page(who: Name, path: string): Promise<Page> {
    const page = await this.people[who].newPage();
    await page.goto(path);
    return page;
  }

  async #talk(): Promise<void> {
    await this.ask('you', 'PATCH', 'server', { name: 'Riverside Makers' });
    const rooms = [
      ['release', 'Release', 'What ships, and when'],
      ['design', 'Design', 'Sketches, colours, type'],
      ['workshop', 'Workshop', 'Tools, dates and keys'],
      ['random', 'Random', ''],
    ] as const;
    for (const [room, title, topic] of rooms) {
      await this.ask('grace', 'POST', 'rooms', { room, title, topic });
      for (const who of ['ada', 'linus', 'noor', 'you'] as const) {
        await this.ask(who, 'POST', `rooms/${room}/join`);
      }
    }
    await this.say('grace', 'release', 'Morning! The release candidate is up, please give it a spin before lunch.');
    await this.say('grace', 'release', 'Two things to look at: `install.sh` on a clean machine, and the phone layout.');
    await this.say('ada', 'release', 'Installed in 40 seconds here. [Notes are in the wiki](https://wiki.example.org/rc).');
    await this.say('noor', 'release', 'The start is now one call:\n```python\nasync def main() -> None:\n    async with Client("https://chat.example.org") as client:\n        async for message in client.messages("release"):\n            print(message.by, message.text)\n```');
    await this.say('grace', 'release', 'That reads well. Which Python does it need?', 4);
    await this.say('noor', 'release', '3.11 or newer.');
    await this.ask('you', 'PUT', 'rooms/release/read', { seq: 6 });
    await this.say('linus', 'release', '@you could you check the dark theme on your phone?');
    await this.say('linus', 'release', 'Then it can go out **today**.');
    await this.react('release', 1, '🎉', 'ada', 'linus', 'noor', 'you');
    await this.react('release', 1, '☕', 'linus');
    await this.react('release', 3, '🚀', 'grace', 'you');
    await this.say('grace', 'release.3', 'That is quick. Which machine?');
    await this.say('ada', 'release.3', 'The small one in the workshop, on the slow line.');
    await this.say('linus', 'release.3', '48 seconds here, with `--verbose`.');
    await this.ask('grace', 'PUT', 'rooms/release/messages/2/pin');
    await this.say('ada', 'design', '@you the new icons are in, have a look.');
    await this.say('noor', 'workshop', 'The laser cutter is back.');
    const { room } = (await this.ask('ada', 'POST', 'direct', { users: ['you'] })) as { room: { room: string } };
    await this.say('ada', room.room, 'Lunch at one?');
  }
}

let club: Club;

test.beforeAll(async ({ browser }) => {
  club = await Club.open(browser);
});

test.afterAll(async () => {
  await club.server.stop();
});

async function take(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: fileURLToPath(new URL(`${name}.png`, IMAGES)), animations: 'disabled' });
}

/** The same state four times. */
async function takeAll(page: Page, name: string): Promise<void> {
  for (const [device, size] of [['', DESKTOP], ['-phone', PHONE]] as const) {
    await page.setViewportSize(size);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      await take(page, `${name}${device}${colorScheme === 'dark' ? '-dark' : ''}`);
    }
  }
  await page.setViewportSize(DESKTOP);
  await page.emulateMedia({ colorScheme: 'light' });
}

test('a room', async () => {
  const ada = await club.page('ada', '/rooms/release');
  const grace = await club.page('grace', '/rooms/release');
  const page = await club.page('you', '/rooms/release');
  await expect(page.getByText('Then it can go out')).toBeVisible();
  await expect(page.locator('pre span[class]').first()).toBeVisible();
  await grace.getByRole('textbox', { name: /^Message/ }).pressSequentially('On');
  await expect(page.getByText('Grace Hopper is typing…')).toBeVisible();
  await takeAll(page, 'room');
  await ada.close();
  await grace.close();
});

test('a thread beside it', async () => {
  const page = await club.page('you', '/rooms/release/3/thread');
  await expect(page.getByText('48 seconds here')).toBeVisible();
  await takeAll(page, 'thread');
});

test('what opens in it', async () => {
  const page = await club.page('you', '/rooms/design/details');
  await expect(page.getByRole('complementary')).toContainText('Ada Lovelace');
  await takeAll(page, 'details');
  await page.goto('/rooms/release');
  await expect(page.getByText('Then it can go out')).toBeVisible();
  await page.keyboard.press('Control+k');
  await expect(page.getByRole('option').first()).toBeVisible();
  await takeAll(page, 'switcher');
  await page.keyboard.press('Escape');
  await page.setViewportSize(PHONE);
  await page.goto('/');
  await expect(page.getByRole('navigation', { name: 'Rooms and people' })).toBeVisible();
  await take(page, 'rooms-phone');
  await page.emulateMedia({ colorScheme: 'dark' });
  await take(page, 'rooms-phone-dark');
});

test('settings', async () => {
  const page = await club.page('you', '/settings/appearance');
  await expect(page.getByRole('heading', { level: 2 }).first()).toBeVisible();
  await takeAll(page, 'settings');
});

test('the sign-in pages', async ({ browser }) => {
  const server = await Server.start([]);
  const page = await browser.newPage({ baseURL: server.url });
  await page.goto(`/join/${server.takeOwnerInvite() ?? ''}`);
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  await takeAll(page, 'first-run');
  await page.goto(`${club.server.url}/sign-in`);
  await expect(page.getByRole('button', { name: 'Sign in' })).toBeVisible();
  await takeAll(page, 'sign-in');
  await page.close();
  await server.stop();
});
