/** Says many things quickly, through the plain-text door, from a page of its own. */

import type { BrowserContext, Page } from '@playwright/test';

export class Line {
  private constructor(private readonly page: Page) {}

  /** As the person whose browser this is. */
  static async open(context: BrowserContext, room: string): Promise<Line> {
    const page = await context.newPage();
    // Any page of the server will do; this one runs no client.
    await page.goto('/api/docs');
    await page.evaluate(async (where) => {
      const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/ws?room=${where}`);
      await new Promise((resolve) => socket.addEventListener('open', resolve, { once: true }));
      Object.assign(globalThis, { line: socket });
    }, room);
    return new Line(page);
  }

  /** `perSecond` messages each second, until `count` are said and have come back. */
  async say(count: number, perSecond: number): Promise<void> {
    await this.page.evaluate(
      async ([total, rate]) => {
        const { line } = globalThis as unknown as { line: WebSocket };
        const stamp = Date.now();
        let back = 0;
        const all = new Promise<void>((resolve) => {
          line.addEventListener('message', (event) => {
            if (String(event.data).includes(`of ${stamp}`) && ++back === total) resolve();
          });
        });
        const started = performance.now();
        let said = 0;
        while (said < total) {
          const due = Math.min(total, Math.ceil(((performance.now() - started) / 1000) * rate));
          const lines = [];
          for (; said < due; said += 1) lines.push(`Number ${said} of ${stamp}, said as people do`);
          if (lines.length > 0) line.send(lines.join('\n'));
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        await all;
      },
      [count, perSecond] as const,
    );
  }

  async close(): Promise<void> {
    await this.page.close();
  }
}
