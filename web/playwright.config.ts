import { defineConfig } from '@playwright/test';
import { browser } from './e2e/browser';

export default defineConfig({
  testDir: 'e2e',
  outputDir: 'test-results',
  fullyParallel: true,
  // Tests spend about half of their time waiting for servers and pages.
  workers: 4,
  // A retry would hide flaky tests.
  retries: 0,
  // A limit for hanging tests, and not a promise of speed, because the machine may be shared.
  timeout: 240_000,
  expect: { timeout: 30_000 },
  forbidOnly: true,
  reporter: [['list']],
  // Tracing all pages would double the time; run a failed test again with `--trace on`.
  use: { ...browser, screenshot: 'only-on-failure' },
});
