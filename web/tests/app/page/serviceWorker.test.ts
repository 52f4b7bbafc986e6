// @vitest-environment jsdom
import { expect, test } from 'vitest';
import { isAnotherBuild } from '../../../src/app/page/serviceWorker';

const pageOf = (head: string): Document => new DOMParser().parseFromString(head, 'text/html');
const html = (hash: string) =>
  `<head><title>x</title><link rel="manifest" href="/manifest.webmanifest">
   <script type="module" src="/assets/index-${hash}.js"></script>
   <link rel="stylesheet" href="/assets/index-${hash}.css"></head>`;

test('the same files are the same build, whatever else the page has loaded', () => {
  const page = pageOf(html('a') + '<link rel="stylesheet" href="/assets/Settings-b.css">');
  expect(isAnotherBuild(html('a'), page)).toBe(false);
});

test('a different script or style is another build', () => {
  expect(isAnotherBuild(html('b'), pageOf(html('a')))).toBe(true);
  expect(isAnotherBuild(html('a').replace('a.css', 'b.css'), pageOf(html('a')))).toBe(true);
});

test('a page without built files is not offered as an update', () => {
  expect(isAnotherBuild('<title>Not built</title>', pageOf(html('a')))).toBe(false);
});
