/**
 * Generates the PNG icons that systems want instead of an SVG, from public/icon.svg:
 *
 * HUBBUB_CHROMIUM="$(scripts/find-browser)" node web/build/icons.mjs
 */

import { readFile, writeFile } from 'node:fs/promises';
import { chromium } from '@playwright/test';

const PUBLIC = new URL('../public/', import.meta.url);

/**
 * `scale` of the mark. Systems that cut the icon to their own shape need it without rounded corners.
 */
const PICTURES = [
  { name: 'icon-192.png', size: 192 },
  { name: 'icon-512.png', size: 512 },
  // Only a circle of 80 % is always visible, and the tail has to fit into it.
  { name: 'icon-maskable-512.png', size: 512, scale: 0.74, square: true },
  { name: 'apple-touch-icon.png', size: 180, scale: 0.9, square: true },
];

const source = await readFile(new URL('icon.svg', PUBLIC), 'utf8');

function variant({ scale = 1, square = false }) {
  const moved = `translate(256 256) scale(${scale}) translate(-256 -256)`;
  const marked = source.replace('id="mark"', `transform="${moved}"`);
  return square ? marked.replace('rx="112"', '') : marked;
}

const executablePath = process.env.HUBBUB_CHROMIUM;
const browser = await chromium.launch({
  ...(executablePath && { executablePath }),
  args: ['--no-sandbox', '--disable-gpu'],
});
const page = await browser.newPage();
for (const picture of PICTURES) {
  const { name, size } = picture;
  await page.setViewportSize({ width: size, height: size });
  await page.setContent(`<style>body{margin:0}svg{display:block;width:100vw}</style>${variant(picture)}`);
  const content = await page.screenshot({ omitBackground: true });
  await writeFile(new URL(name, PUBLIC), content);
  console.log(`${name} ${content.length} bytes`);
}
await browser.close();
