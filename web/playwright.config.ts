import { defineConfig } from '@playwright/test';
import { browser } from './e2e/browser';

export default defineConfig({
  testDir: 'e2e',
  outputDir: 'test-results',
  fullyParallel: true,
  // Tests wait for servers and pages about half of their time.
  workers: 4,
  // A second try would hide what goes by luck.
  retries: 0,
  // Against what hangs, and not a promise of speed: others may use the machine.
  timeout: 240_000,
  expect: { timeout: 30_000 },
  forbidOnly: true,
  reporter: [['list']],
  // Traces of all pages cost as much as the tests; one that failed is run again with `--trace on`.
  use: { ...browser, screenshot: 'only-on-failure' },
});
