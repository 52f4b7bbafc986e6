/** The little that is kept outside the databases, because it is needed before one is open. */

const SESSION = 'hubbub.session';
const DRAFT = 'hubbub.draft';

/** Who was last signed in here, and with which epoch of the server: it names their database. */
export interface LastSession {
  user: string;
  epoch: string;
}

export function lastSession(): LastSession | null {
  try {
    return JSON.parse(localStorage.getItem(SESSION) ?? 'null') as LastSession | null;
  } catch {
    return null;
  }
}

export function rememberSession(session: LastSession | null): void {
  if (session) keepItem(SESSION, JSON.stringify(session));
  else localStorage.removeItem(SESSION);
}

/** If there is room for it: all that is kept so can be done without. */
export function keepItem(key: string, value: string, storage = localStorage): void {
  try {
    storage.setItem(key, value);
  } catch {
    // No space left.
  }
}

function draftKey(user: string, room: string): string {
  return `${DRAFT}:${user}:${room}`;
}

/** Half-written text; written at every stroke, so that nothing is lost with the tab. */
export function draftOf(user: string, room: string): string {
  return localStorage.getItem(draftKey(user, room)) ?? '';
}

export function keepDraft(user: string, room: string, text: string): void {
  if (text.trim() === '') localStorage.removeItem(draftKey(user, room));
  // Without space it still stands in the composer.
  else keepItem(draftKey(user, room), text);
}

function draftKeys(user: string): string[] {
  return Object.keys(localStorage).filter((key) => key.startsWith(draftKey(user, '')));
}

export function roomsWithDrafts(user: string): Set<string> {
  return new Set(draftKeys(user).map((key) => key.slice(draftKey(user, '').length)));
}

export function countDrafts(user: string): number {
  return draftKeys(user).length;
}

export function eraseDrafts(user: string): void {
  for (const key of draftKeys(user)) localStorage.removeItem(key);
  localStorage.removeItem(knownKey(user));
}

/** Which emoji somebody reacts with, and how often. */
export const reactionsKey = (user: string): string => `hubbub.reactions:${user}`;

/** What the server is known to have of them. */
export const knownKey = (user: string): string => `${DRAFT}s:${user}`;
