/** The few things that are stored outside the databases because they are needed before one is open. */

const SESSION = 'hubbub.session';
const DRAFT = 'hubbub.draft';

/** Who was last signed in here, and the server's epoch; together they name the database. */
export interface LastSession {
  user: string;
  epoch: string;
}

export function loadLastSession(): LastSession | null {
  try {
    return JSON.parse(localStorage.getItem(SESSION) ?? 'null') as LastSession | null;
  } catch {
    return null;
  }
}

export function rememberSession(session: LastSession | null): void {
  if (session) storeItem(SESSION, JSON.stringify(session));
  else localStorage.removeItem(SESSION);
}

/** Stores the item if there is space. Everything stored this way is optional. */
export function storeItem(key: string, value: string, storage = localStorage): void {
  try {
    storage.setItem(key, value);
  } catch {
    // No space left.
  }
}

function draftKey(user: string, room: string): string {
  return `${DRAFT}:${user}:${room}`;
}

/** The draft of a room. It is stored at every keystroke, so that it survives the tab. */
export function loadDraft(user: string, room: string): string {
  return localStorage.getItem(draftKey(user, room)) ?? '';
}

export function saveDraft(user: string, room: string, text: string): void {
  if (text.trim() === '') localStorage.removeItem(draftKey(user, room));
  // If there is no space, the text is still in the composer.
  else storeItem(draftKey(user, room), text);
}

function draftKeys(user: string): string[] {
  return Object.keys(localStorage).filter((key) => key.startsWith(draftKey(user, '')));
}

export function listRoomsWithDrafts(user: string): Set<string> {
  return new Set(draftKeys(user).map((key) => key.slice(draftKey(user, '').length)));
}

export function countDrafts(user: string): number {
  return draftKeys(user).length;
}

export function eraseDrafts(user: string): void {
  for (const key of draftKeys(user)) localStorage.removeItem(key);
  localStorage.removeItem(knownKey(user));
}

/** How often somebody reacts with which emoji. */
export const reactionsKey = (user: string): string => `hubbub.reactions:${user}`;

/** Which drafts the server is known to have. */
export const knownKey = (user: string): string => `${DRAFT}s:${user}`;
