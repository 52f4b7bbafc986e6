/** Opens rooms full of texts that have frozen clients, and measures how long the page is blocked. */

import type { Browser, Page } from '@playwright/test';
import { expect, test } from '../e2e/fixtures';
import { command, composer, roomFor } from '../e2e/people';
import { kinds } from '../tests/markdown/hostile';

const MESSAGES = 50;
const LONGEST_MS = 100;
/** For trying only a few of them. */
const ONLY = process.env['HUBBUB_BENCH_TEXTS'];

test('opening a room full of hostile texts', async ({ someone, browser }) => {
  test.setTimeout(3_600_000);
  const ana = await someone('ana');
  const bo = await someone('bo');
  await bo.page.close();
  await expect(composer(ana.page)).toBeVisible();
  const over: string[] = [];
  for (const [kind, text] of Object.entries(kinds(ana.name))) {
    if (ONLY && !new RegExp(ONLY).test(kind)) continue;
    const room = await roomFor(ana);
    for (let n = 0; n < MESSAGES; n += 1) {
      await command(ana, 'POST', `/api/rooms/${room}/messages`, { text });
    }
    const rounds: Busy[] = [];
    for (let round = 0; round < 2; round += 1) rounds.push(await open(browser, ana.page, room));
    const least = (of: keyof Busy) => Math.min(...rounds.map((one) => one[of]));
    const [clock, processor] = [least('clock'), least('processor')];
    console.log(`    ${kind}: ${processor.toFixed(0)} ms (${clock.toFixed(0)} by the clock)`);
    if (processor > LONGEST_MS) over.push(kind);
    await command(ana, 'DELETE', `/api/rooms/${room}`);
  }
  console.log(over.length > 0 ? `    over ${LONGEST_MS} ms: ${over.join(', ')}` : `    none over ${LONGEST_MS} ms`);
});

interface Busy {
  /** The longest task in milliseconds, in wall-clock time and in CPU time. */
  clock: number;
  processor: number;
}

/** From the lobby into the room, until the page has been idle for a while. */
async function open(browser: Browser, page: Page, room: string): Promise<Busy> {
  await page.getByRole('link', { name: /lobby/i }).first().click();
  await expect(page.locator(`a[href="/rooms/${room}"]`)).toBeVisible();
  await page.waitForTimeout(1_000);
  await browser.startTracing(page, { categories: ['-*', 'toplevel', '__metadata'] });
  await page.evaluate(async (name) => {
    const pause = () => new Promise((resolve) => setTimeout(resolve, 100));
    document.querySelector<HTMLElement>(`a[href="/rooms/${name}"]`)?.click();
    while (document.querySelectorAll('[role=log] li[data-seq]').length < 50) await pause();
    for (let quiet = 0, known = 0; quiet < 10; quiet += 1) {
      await pause();
      const nodes = document.getElementsByTagName('*').length;
      if (nodes !== known) quiet = 0;
      known = nodes;
    }
  }, room);
  return longest((await browser.stopTracing()).toString());
}

interface TraceEvent {
  name: string;
  ph: string;
  pid: number;
  tid: number;
  /** Microseconds of wall-clock and of CPU time. */
  dur?: number;
  tdur?: number;
  args?: { name?: string };
}

/** The longest task of the page's main thread. */
function longest(trace: string): Busy {
  const { traceEvents } = JSON.parse(trace) as { traceEvents: TraceEvent[] };
  const thread = ({ pid, tid }: TraceEvent) => `${pid}.${tid}`;
  const isMain = ({ name, args }: TraceEvent) => name === 'thread_name' && args?.name === 'CrRendererMain';
  const main = new Set(traceEvents.filter(isMain).map(thread));
  const tasks = traceEvents.filter((event) => /RunTask$/.test(event.name) && main.has(thread(event)));
  const most = (of: 'dur' | 'tdur') => Math.max(0, ...tasks.map((event) => event[of] ?? 0)) / 1_000;
  return { clock: most('dur'), processor: most('tdur') };
}
