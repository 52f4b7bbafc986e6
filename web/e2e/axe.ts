/** axe finds nothing on a page: light and dark, on a desktop and on a phone. */

import { AxeBuilder } from '@axe-core/playwright';
import { expect, type Page } from '@playwright/test';

export const SIZES = [
  { width: 1280, height: 800 },
  { width: 390, height: 844 },
] as const;

// In the dark nothing but the colours is different.
const OF_COLOURS = ['color-contrast', 'link-in-text-block'];

/** As the page is just now. */
export async function expectAccessible(page: Page, what: string, rules?: string[]): Promise<void> {
  // Otherwise every scan opens a page of its own, to put together what frames of other sites say.
  const axe = new AxeBuilder({ page }).setLegacyMode();
  if (rules) axe.withRules(rules);
  const { violations } = await axe.analyze();
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
