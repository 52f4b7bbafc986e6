import { defineConfig } from '@playwright/test';
import { browser } from './e2e/browser';

/** Measurements in a real browser: `make bench-web`. One at a time, with nothing running beside it. */
export default defineConfig({
  testDir: 'bench',
  outputDir: 'test-results',
  workers: 1,
  timeout: 300_000,
  reporter: [['list']],
  use: { ...browser, viewport: { width: 1280, height: 800 } },
});
