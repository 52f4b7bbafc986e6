/** Runs axe on a page: light and dark, on a desktop and on a phone. */

import { expect, type Page } from '@playwright/test';
import type axe from 'axe-core';
import { readFileSync } from 'node:fs';

const SOURCE = readFileSync(new URL('../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');

export const SIZES = [
  { width: 1280, height: 800 },
  { width: 390, height: 844 },
] as const;

// In the dark theme only the colours differ.
const OF_COLOURS = ['color-contrast', 'link-in-text-block'];

/** The page in its current state. */
export async function expectAccessible(page: Page, what: string, rules?: string[]): Promise<void> {
  // By hand, because axe's own builder loads its 600 KB into the page for every scan.
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(SOURCE);
  const violations = await page.evaluate(async (rules) => {
    const run = (window as unknown as { axe: typeof axe }).axe.run;
    // Report only violations in detail, and do not fetch style sheets of other sites.
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

/** In all four variants; afterwards the page is a light one on a desktop again. */
export async function expectClean(page: Page, what: string): Promise<void> {
  for (const size of SIZES) {
    await page.setViewportSize(size);
    for (const colorScheme of ['dark', 'light'] as const) {
      // Colours in transition would be measured half-way.
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      const rules = colorScheme === 'dark' ? OF_COLOURS : undefined;
      await expectAccessible(page, `${what}, ${colorScheme}, ${size.width} px`, rules);
    }
  }
  await page.setViewportSize(SIZES[0]);
}
