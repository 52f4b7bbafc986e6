import { defineConfig } from '@playwright/test';
import { browser } from './e2e/browser';

/** Screenshots for README and docs: `make screenshots`. */
export default defineConfig({
  testDir: 'screenshots',
  outputDir: 'test-results',
  timeout: 60_000,
  workers: 1,
  reporter: [['list']],
  use: { ...browser, viewport: { width: 1280, height: 800 } },
});
