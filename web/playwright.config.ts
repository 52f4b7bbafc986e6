import { defineConfig } from '@playwright/test';
import { browser } from './e2e/browser';

export default defineConfig({
  testDir: 'e2e',
  outputDir: 'test-results',
  fullyParallel: true,
  workers: 2,
  // A second try is reported as flaky: to be mended, but no reason to lose a night's run.
  retries: process.env['CI'] ? 1 : 0,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  forbidOnly: true,
  reporter: [['list']],
  use: { ...browser, trace: 'retain-on-failure' },
});
