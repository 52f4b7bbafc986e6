/** Actions of people in tests, and what the database contains afterwards. */

import { expect, type Locator, type Page } from '@playwright/test';
import type { Someone } from './fixtures';

export const composer = (page: Page): Locator => page.getByRole('textbox', { name: /^Message/ });

export const timeline = (page: Page): Locator => page.getByRole('log', { name: 'Messages' });

/** Writes a message as a person does, and waits until it is in the timeline. */
export async function say({ page }: { page: Page }, text: string): Promise<void> {
  await composer(page).fill(text);
  await composer(page).press('Enter');
  await expect(timeline(page).getByText(text, { exact: true })).toBeVisible();
}

/** A command over HTTP with somebody's cookie. */
export async function command<T = unknown>(
  { page, context }: Someone,
  method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE',
  path: string,
  data?: object,
): Promise<T> {
  const { origin } = new URL(page.url());
  const answer = await context.request.fetch(`${origin}${path}`, {
    method,
    headers: { Origin: origin },
    ...(data && { data }),
  });
  expect(answer.ok(), await answer.text()).toBe(true);
  return (await answer.json()) as T;
}

export interface StoredMessage {
  seq: number;
  by: string;
  text?: string;
  deleted?: boolean;
}

/** All messages of a room as the server has them. */
export async function fetchMessages(who: Someone, room: string): Promise<StoredMessage[]> {
  const all: StoredMessage[] = [];
  for (;;) {
    const path = `/api/rooms/${room}/messages?limit=200&after=${all.at(-1)?.seq ?? 0}`;
    const { messages } = await command<{ messages: StoredMessage[] }>(who, 'GET', path);
    if (messages.length === 0) return all;
    all.push(...messages);
  }
}

let rooms = 0;

/** A new public room, because tests share the lobby; everyone listed joins it. */
export async function roomFor(owner: Someone, ...others: Someone[]): Promise<string> {
  rooms += 1;
  const room = `room-${Date.now().toString(36)}-${rooms}`;
  await command(owner, 'POST', '/api/rooms', { title: `Room ${rooms}`, room });
  for (const other of others) await command(other, 'POST', `/api/rooms/${room}/join`, {});
  for (const who of [owner, ...others]) {
    await who.page.goto(`/rooms/${room}`);
    await expect(composer(who.page)).toBeVisible();
  }
  return room;
}
