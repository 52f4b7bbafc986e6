/** Formatting tools for the writer, and the result for the readers. */

import type { Locator, Page } from '@playwright/test';
import { expectAccessible, SIZES } from './axe';
import { expect, test } from './fixtures';
import { command, composer, roomFor, timeline } from './people';

const formattingButton = (page: Page): Locator => page.getByRole('button', { name: 'Formatting', exact: true });
const toolbar = (page: Page): Locator => page.getByRole('toolbar', { name: 'Formatting' });
const tool = (page: Page, name: string): Locator => toolbar(page).getByRole('button', { name, exact: true });

/** Replaces the text and selects the first `chosen` in it. */
async function write(page: Page, text: string, chosen: string): Promise<void> {
  await composer(page).fill(text);
  await composer(page).evaluate((field, chosen) => {
    const area = field as HTMLTextAreaElement;
    const start = area.value.indexOf(chosen);
    area.setSelectionRange(start, start + chosen.length);
  }, chosen);
}

async function paste(page: Page, text: string): Promise<void> {
  await page.evaluate((given) => navigator.clipboard.writeText(given), text);
  await composer(page).press('ControlOrMeta+v');
}

async function expectClean(page: Page, what: string): Promise<void> {
  for (const size of SIZES) {
    await page.setViewportSize(size);
    await page.emulateMedia({ reducedMotion: 'reduce' });
    await expectAccessible(page, `${what}, ${size.width} px`);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(size.width);
  }
  await page.setViewportSize(SIZES[0]);
}

test('the toolbar formats the selection, removes formats, and can be undone', async ({ someone }) => {
  const ana = await someone('ana');
  await roomFor(ana);
  const { page } = ana;
  const field = composer(page);
  await expect(formattingButton(page)).toHaveAttribute('aria-expanded', 'false');
  await formattingButton(page).click();
  await write(page, 'so very good', 'very');
  await tool(page, 'Bold').click();
  await expect(field).toHaveValue('so **very** good');
  await expect(field).toBeFocused();
  await expect(tool(page, 'Bold')).toHaveAttribute('aria-pressed', 'true');
  await page.keyboard.press('ControlOrMeta+z');
  await expect(field).toHaveValue('so very good');
  await expect(tool(page, 'Bold')).toHaveAttribute('aria-pressed', 'false');
  await write(page, 'so **very** good', 'very');
  await tool(page, 'Bold').click();
  await expect(field).toHaveValue('so very good');

  // The toolbar is one tab stop, with arrow keys inside.
  await page.keyboard.press('Shift+Tab');
  await expect(tool(page, 'Bold')).toBeFocused();
  await page.keyboard.press('ArrowLeft');
  await expect(tool(page, 'Spoiler')).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(field).toHaveValue('so ||very|| good');
  await expect(field).toBeFocused();
  await write(page, 'one\ntwo', 'one\ntwo');
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('Space');
  await expect(field).toHaveValue('- [ ] one\n- [ ] two');
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Escape');
  await expect(field).toBeFocused();

  await page.reload();
  await expect(toolbar(page)).toBeVisible();
  await page.setViewportSize(SIZES[1]);
  await tool(page, 'Spoiler').scrollIntoViewIfNeeded();
  await expect(tool(page, 'Spoiler')).toBeInViewport({ ratio: 1 });
  await expectClean(page, 'the toolbar');
  await formattingButton(page).click();
  await expect(toolbar(page)).toBeHidden();
});

test('shortcuts format too, and lists continue', async ({ someone }) => {
  const ana = await someone('ana');
  await roomFor(ana);
  const { page } = ana;
  const field = composer(page);
  await expect(formattingButton(page)).toBeVisible();
  for (const [keys, text] of [
    ['b', 'a **word** b'],
    ['i', 'a *word* b'],
    ['Shift+x', 'a ~~word~~ b'],
    ['e', 'a `word` b'],
    ['Shift+u', 'a [word]() b'],
    ['Shift+Digit7', '1. a word b'],
    ['Shift+Digit8', '- a word b'],
    ['Shift+Digit9', '> a word b'],
  ] as const) {
    await write(page, 'a word b', 'word');
    await page.keyboard.press(`ControlOrMeta+${keys}`);
    await expect(field, keys).toHaveValue(text);
    await page.keyboard.press('ControlOrMeta+z');
    await expect(field, `${keys} undone`).toHaveValue('a word b');
  }
  await field.fill('');
  await page.keyboard.type('- [x] one');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('two');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.press('ControlOrMeta+b');
  await page.keyboard.type('end');
  await page.keyboard.press('ControlOrMeta+b');
  await page.keyboard.type('.');
  await expect(field).toHaveValue('- [x] one\n- [ ] two\n**end**.');
  await page.keyboard.press('Enter');
  await expect(timeline(page).getByRole('checkbox')).toHaveCount(2);
});

test('a pasted address makes a link, and pasted code is offered as a block', async ({ someone }) => {
  const ana = await someone('ana');
  await roomFor(ana);
  const { page, context } = ana;
  const field = composer(page);
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await expect(formattingButton(page)).toBeVisible();
  await write(page, 'see the wiki now', 'the wiki');
  await paste(page, 'https://example.org/wiki');
  await expect(field).toHaveValue('see [the wiki](https://example.org/wiki) now');
  await page.keyboard.press('ControlOrMeta+z');
  await expect(field).toHaveValue('see the wiki now');

  const code = 'def greet(name):\n    return f"Hello, {name}"';
  const offer = page.getByRole('group', { name: 'This looks like code.' });
  await field.fill('');
  await paste(page, code);
  await expect(field).toHaveValue(code);
  await expect(offer).toBeVisible();
  await expect(page.getByText('Before the text field there is a button')).toBeAttached();
  await expectClean(page, 'the offer');
  await page.keyboard.press('Escape');
  await expect(offer).toBeHidden();
  await expect(field).toHaveValue(code);

  await field.fill('');
  await paste(page, code);
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Enter');
  await expect(field).toHaveValue(`\`\`\`python\n${code}\n\`\`\``);
  await expect(field).toBeFocused();
  await expect(offer).toBeHidden();
  await page.keyboard.press('ControlOrMeta+z');
  await expect(field).toHaveValue(code);
  // Typing on in the block dismisses the offer.
  await field.fill('');
  await expect(offer).toBeHidden();
});

test('a spoiler stays hidden until somebody opens it', async ({ someone }) => {
  const ana = await someone('ana');
  const bo = await someone('bo');
  const room = await roomFor(ana, bo);
  const { page } = ana;
  const log = timeline(page);
  const post = (text: string, reply_to?: number) =>
    command<{ seq: number }>(bo, 'POST', `/api/rooms/${room}/messages`, { text, reply_to });
  const { seq } = await post('It was ||the **butler**|| and `a || b || c`');
  // Before another announcement replaces it.
  await expect(page.getByText('It was (Spoiler)')).toBeAttached();
  await post('I knew!', seq);
  const covered = log.getByRole('button', { name: 'Spoiler, hidden' });
  await expect(covered).toHaveAttribute('aria-expanded', 'false');
  await expect(log.getByRole('link', { name: /▒▒▒/ })).toBeVisible();
  await expect(log).not.toContainText('butler');
  await expect(page.locator('body')).not.toContainText('butler');
  await expectClean(page, 'a spoiler');

  await covered.focus();
  await page.keyboard.press('Enter');
  const opened = log.getByRole('button', { name: 'Spoiler, shown' });
  await expect(opened).toBeFocused();
  await expect(log.locator('strong', { hasText: 'butler' })).toBeVisible();
  await expectClean(page, 'an open spoiler');
  await opened.click();
  await expect(log).not.toContainText('butler');

  const row = log.getByRole('listitem').filter({ hasText: 'It was' }).first();
  await row.hover();
  await row.getByRole('button', { name: 'Reply', exact: true }).click();
  await expect(page.getByText(`It was ▒▒▒ and`).last()).toBeVisible();
  await expect(page.locator('body')).not.toContainText('butler');
});

test('tables scroll on their own, and tasks show whether they are done', async ({ someone }) => {
  const ana = await someone('ana');
  const room = await roomFor(ana);
  const { page } = ana;
  const log = timeline(page);
  const wide = Array.from({ length: 12 }, (_, column) => `column ${column}`).join(' | ');
  const table = `| ${wide} |\n|${'---|'.repeat(12)}\n| ${wide} |`;
  await command(ana, 'POST', `/api/rooms/${room}/messages`, { text: table });
  await command(ana, 'POST', `/api/rooms/${room}/messages`, { text: '- [ ] tea\n- [x] cake' });
  await expect(log.getByRole('columnheader')).toHaveCount(12);
  await expect(log.getByRole('checkbox', { name: 'To do' })).not.toBeChecked();
  await expect(log.getByRole('checkbox', { name: 'Done' })).toBeChecked();
  await expect(log.getByRole('checkbox', { name: 'Done' })).toBeDisabled();
  await expectClean(page, 'a table and tasks');
  await page.setViewportSize(SIZES[1]);
  const frame = log.getByRole('group', { name: 'Table' });
  await frame.focus();
  await page.keyboard.press('ArrowRight');
  await expect.poll(() => frame.evaluate((one) => one.scrollLeft)).toBeGreaterThan(0);
});
