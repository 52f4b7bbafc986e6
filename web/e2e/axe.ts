/** axe finds nothing on a page: light and dark, on a desktop and on a phone. */

import { expect, type Page } from '@playwright/test';
import type axe from 'axe-core';
import { readFileSync } from 'node:fs';

const SOURCE = readFileSync(new URL('../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');

export const SIZES = [
  { width: 1280, height: 800 },
  { width: 390, height: 844 },
] as const;

// In the dark nothing but the colours is different.
const OF_COLOURS = ['color-contrast', 'link-in-text-block'];

/** As the page is just now. */
export async function expectAccessible(page: Page, what: string, rules?: string[]): Promise<void> {
  // By hand: axe's own builder reads its 600 KB into the page anew for every scan.
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(SOURCE);
  const violations = await page.evaluate(async (rules) => {
    const run = (window as unknown as { axe: typeof axe }).axe.run;
    // Only what is wrong is told in full, and no styles of other sites need to be fetched.
    const options = { resultTypes: ['violations' as const], preload: false };
    const { violations } = await run(document, rules ? { ...options, runOnly: rules } : options);
    return violations;
  }, rules);
  const found = violations.map(({ id, help, nodes }) => ({
    id,
    help,
    where: nodes.slice(0, 3).map(({ target, failureSummary }) => [target, failureSummary]),
  }));
  expect(found, what).toEqual([]);
}

/** In all forms that it has; the page is a light one on a desktop afterwards. */
export async function expectClean(page: Page, what: string): Promise<void> {
  for (const size of SIZES) {
    await page.setViewportSize(size);
    for (const colorScheme of ['dark', 'light'] as const) {
      // Colours that are on their way to others would be measured half-way.
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      const rules = colorScheme === 'dark' ? OF_COLOURS : undefined;
      await expectAccessible(page, `${what}, ${colorScheme}, ${size.width} px`, rules);
    }
  }
  await page.setViewportSize(SIZES[0]);
}
