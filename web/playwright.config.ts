import { defineConfig } from '@playwright/test';
import { browser } from './e2e/browser';

export default defineConfig({
  testDir: 'e2e',
  outputDir: 'test-results',
  fullyParallel: true,
  workers: 2,
  // A second try would hide what goes by luck.
  retries: 0,
  // Against what hangs, and not a promise of speed: others may use the machine.
  timeout: 240_000,
  expect: { timeout: 30_000 },
  forbidOnly: true,
  reporter: [['list']],
  use: { ...browser, trace: 'retain-on-failure' },
});
