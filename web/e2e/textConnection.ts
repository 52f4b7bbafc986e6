/** Posts many messages quickly over the plain-text protocol, from a page of its own. */

import type { BrowserContext, Page } from '@playwright/test';

export class TextConnection {
  private constructor(private readonly page: Page) {}

  /** As the person signed in in this browser. */
  static async open(context: BrowserContext, room: string): Promise<TextConnection> {
    const page = await context.newPage();
    // Any page of the server will do; this one does not run the client.
    await page.goto('/api/docs');
    await page.evaluate(async (where) => {
      const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/ws?room=${where}`);
      await new Promise((resolve) => socket.addEventListener('open', resolve, { once: true }));
      Object.assign(globalThis, { line: socket });
    }, room);
    return new TextConnection(page);
  }

  /** Posts these one after the other at a rate per second, and waits until the last one comes back. */
  async say(texts: readonly string[], perSecond = 10_000): Promise<void> {
    await this.page.evaluate(
      async ([all, rate]) => {
        const { line } = globalThis as unknown as { line: WebSocket };
        const last = new Promise<void>((resolve) => {
          line.addEventListener('message', (event) => {
            if (String(event.data).endsWith(`: ${all.at(-1)}`)) resolve();
          });
        });
        const started = performance.now();
        let said = 0;
        while (said < all.length) {
          const due = Math.ceil(((performance.now() - started) / 1000) * rate);
          const now = all.slice(said, due);
          if (now.length > 0) line.send(now.join('\n'));
          said += now.length;
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        await last;
      },
      [texts, perSecond] as const,
    );
  }

  async close(): Promise<void> {
    await this.page.close();
  }
}
