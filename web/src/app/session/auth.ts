/** Signing in, up and out. */

import * as api from '../../data/wire/api';
import type { Me } from '../../data/wire/protocol';
import { Refused } from '../../data/wire/errors';
import { signedOutNotice, pendingSignOut } from './leaving';
import { reload } from '../page/reload';
import { session } from './session.svelte';

/** These say nothing about the person, and the sign-in page should keep its looks. */
const KEPT_KEYS: ReadonlySet<string> = new Set(['hubbub.theme', 'hubbub.language']);

export interface EarlyRequests {
  about: Promise<Response>;
  mine: Promise<Response>;
}

/** Asks the server who is signed in. `early` holds requests that are already under way. */
export async function restoreSession(early: EarlyRequests | null): Promise<void> {
  if (pendingSignOut.isDue) {
    await api.signOut();
    pendingSignOut.end();
    session.signedOutReason = 'signed-out';
  }
  const [about, mine] = await Promise.allSettled([api.fetchServerInfo(early?.about), api.fetchMe(early?.mine)]);
  if (about.status === 'rejected') throw about.reason;
  session.about = about.value;
  session.isUnreachable = false;
  if (mine.status === 'fulfilled') return session.enter(mine.value.me.name);
  const reason: unknown = mine.reason;
  if (!(reason instanceof Refused) || reason.isTemporary) throw reason;
  session.phase = 'out';
}

/** Fetches what the server says about itself. */
export async function refreshServerInfo(): Promise<void> {
  try {
    session.about = await api.fetchServerInfo();
    session.isUnreachable = false;
  } catch (error) {
    if (!(error instanceof Refused)) session.isUnreachable = true;
  }
}

export async function signIn(name: string, password: string): Promise<void> {
  const { me } = await api.signIn(name, password);
  await enterAccount(me);
}

export async function signUp(account: api.NewAccount): Promise<void> {
  const { me } = await api.signUp(account);
  await enterAccount(me, me.role === 'owner');
}

export async function signInAsGuest(name?: string): Promise<void> {
  const { me } = await api.signInAsGuest(name);
  await enterAccount(me);
}

async function enterAccount(me: Me, isNewOwner = false): Promise<void> {
  session.justSignedIn = true;
  pendingSignOut.end();
  // A guest who gets an account becomes another user.
  await session.chat?.erase({ unsent: true });
  if (!isNewOwner) return session.enter(me.name);
  session.reset();
  session.newOwner = me;
  session.phase = 'out';
}

/** The new owner has finished the setup or postponed it. */
export async function enterAsOwner(): Promise<void> {
  if (session.newOwner) await session.enter(session.newOwner.name);
}

/**
 * Signs out and erases what this browser stored of the person. If the server cannot be reached, the
 * session ends as soon as this browser reaches it again.
 */
export async function signOut({ server = true } = {}): Promise<void> {
  session.isSigningOut = true;
  try {
    if (server) await api.signOut();
  } catch (error) {
    session.isSigningOut = false;
    throw error;
  }
  await session.chat?.erase({ unsent: true });
  eraseStorage();
  if (!server) pendingSignOut.begin();
  signedOutNotice.set();
  // Reload, so that nothing of the person stays in memory.
  history.replaceState(null, '', '/sign-in');
  reload();
}

/** Erases everything that is not in a database. */
function eraseStorage(): void {
  for (const storage of [localStorage, sessionStorage]) {
    for (const key of Object.keys(storage)) {
      if (key.startsWith('hubbub.') && !KEPT_KEYS.has(key)) storage.removeItem(key);
    }
  }
}
