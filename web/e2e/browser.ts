import type { PlaywrightTestOptions, PlaywrightWorkerOptions } from '@playwright/test';

const executablePath = process.env['HUBBUB_CHROMIUM'];

/** An installed Chromium that contacts only the server under test. */
export const browser: Partial<PlaywrightTestOptions & PlaywrightWorkerOptions> = {
  browserName: 'chromium',
  locale: 'en-GB',
  timezoneId: 'Europe/Berlin',
  launchOptions: {
    ...(executablePath ? { executablePath } : {}),
    args: [
      // Tests run in containers and as root, where the sandbox does not work.
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  },
};
