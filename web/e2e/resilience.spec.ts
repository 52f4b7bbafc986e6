/** Crashes, restarts and sleep, which cause trouble in other clients. */

import { expect, test, type Someone } from './fixtures';
import { TextConnection } from './textConnection';
import { command, composer, fetchMessages, roomFor, say, timeline } from './people';

/** The messages in the timeline by seq; deleted ones as null. */
async function rows({ page }: Someone): Promise<Map<number, string | null>> {
  const found = await timeline(page)
    .locator('li[data-seq]')
    .evaluateAll((items) =>
      items.map((item): [number, string | null] => [
        Number((item as HTMLElement).dataset['seq']),
        item.querySelector('.deleted') ? null : (item.querySelector('.body-text')?.textContent ?? '').trim(),
      ]),
    );
  return new Map(found);
}

/** Scrolling from the last message to the first shows exactly what the database has. */
async function expectToMatch(who: Someone, room: string): Promise<void> {
  const truth = new Map(
    (await fetchMessages(who, room)).map(({ seq, text, deleted }) => [seq, deleted ? null : (text ?? '')]),
  );
  const seen = new Map<number, string | null>();
  await expect(async () => {
    await timeline(who.page).evaluate((log) => (log.scrollTop = 0));
    for (const [seq, text] of await rows(who)) seen.set(seq, text);
    expect([...seen].sort(([a], [b]) => a - b)).toEqual([...truth]);
  }).toPass({ intervals: [100] });
}

test('the server is killed while somebody types: nothing is lost', async ({
  someone,
  server,
}) => {
  const ana = await someone('ana');
  const bo = await someone('bo');
  await roomFor(ana, bo);
  await composer(ana.page).pressSequentially('Half a ');
  await server.kill();
  await expect(ana.page.getByText('Reconnecting…')).toBeVisible();
  await composer(ana.page).pressSequentially('thought');
  await expect(composer(ana.page)).toHaveValue('Half a thought');
  await composer(ana.page).press('Enter');
  await composer(ana.page).pressSequentially('And the next');
  await server.up();

  await expect(timeline(bo.page).getByText('Half a thought')).toBeVisible();
  await expect(composer(ana.page)).toHaveValue('And the next');
  await expect(timeline(ana.page).getByText('Half a thought')).toHaveCount(1);
  await expect(ana.page.getByText('Reconnecting…')).toHaveCount(0);
});

test('a tab sleeps through 300 messages, 20 edits and 5 deletions, and a restart', async ({
  someone,
  server,
}) => {
  const ana = await someone('ana');
  const bo = await someone('bo');
  const room = await roomFor(ana, bo);
  await say(ana, 'Good night');
  const devtools = await ana.context.newCDPSession(ana.page);
  await devtools.send('Page.setWebLifecycleState', { state: 'frozen' });

  const sayMany = async (first: number, last: number) => {
    const line = await TextConnection.open(bo.context, room);
    await line.say(
      Array.from({ length: last - first + 1 }, (_, n) => `While you slept, ${first + n}.`),
    );
    await line.close();
  };
  const many = (first: number, last: number, one: (n: number) => Promise<unknown>) =>
    Promise.all(Array.from({ length: last - first + 1 }, (_, index) => one(first + index)));
  await sayMany(1, 150);
  await server.kill();
  await server.up();
  await sayMany(151, 300);
  const one = (seq: number) => `/api/rooms/${room}/messages/${seq}`;
  await many(101, 120, (seq) => command(bo, 'PATCH', one(seq), { text: `Corrected, ${seq}.` }));
  await many(201, 205, (seq) => command(bo, 'DELETE', one(seq)));

  await devtools.send('Page.setWebLifecycleState', { state: 'active' });
  const last = timeline(ana.page).getByText('While you slept, 300.');
  await expect(last.or(ana.page.getByRole('button', { name: /new message/ })).first()).toBeVisible();
  await composer(ana.page).press('Escape');
  await expect(last).toBeVisible();
  await expectToMatch(ana, room);
  await expectToMatch(bo, room);
});

test('two tabs and two people agree on what is unread', async ({ someone }) => {
  const ana = await someone('ana');
  const bo = await someone('bo');
  const room = await roomFor(ana, bo);
  const second = await ana.context.newPage();
  for (const page of [ana.page, second]) {
    await page.goto('/rooms/lobby');
    await expect(composer(page)).toBeVisible();
  }
  const link = (page: typeof second) =>
    page.getByRole('navigation', { name: 'Rooms and people' }).locator(`a[href="/rooms/${room}"]`);
  await say(bo, 'One');
  await say(bo, 'Two');
  await expect(link(ana.page)).toHaveAccessibleName(/2 unread/);
  await expect(link(second)).toHaveAccessibleName(/2 unread/);

  await second.bringToFront();
  await link(second).click();
  await expect(timeline(second).getByText('Two')).toBeVisible();
  await expect(link(second)).not.toHaveAccessibleName(/unread/);
  await expect(link(ana.page)).not.toHaveAccessibleName(/unread/);

  await say({ page: second }, 'Three');
  await expect(timeline(bo.page).getByText('Three')).toBeVisible();
  await expect(link(ana.page)).not.toHaveAccessibleName(/unread/);
});
