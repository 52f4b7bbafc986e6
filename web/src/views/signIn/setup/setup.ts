/** The first decisions of a new owner. */

import * as api from '../../../data/wire/api';
import type { Fields, Registration, ServerInfo } from '../../../data/wire/protocol';
import { Refused } from '../../../data/wire/errors';

export const INVITE_DAYS = 7;
export const INVITE_USES = 50;

export interface Decisions {
  name: string;
  registration: Registration;
  guests: boolean;
}

export interface Result {
  about: ServerInfo;
  /** The settings that the operator has fixed, so that it could not be decided here. */
  fixed: ReadonlySet<keyof Decisions>;
  /** A link to share, if people need one to join. */
  invite: string | null;
}

/** Throws Refused or Unreachable; it can safely be repeated. */
export async function setUp(wanted: Decisions): Promise<Result> {
  const fixed = new Set<keyof Decisions>();
  const before = await api.fetchServerInfo();
  // One by one, because the server refuses a whole request if the operator has fixed any part of it.
  for (const what of ['name', 'registration', 'guests'] as const) {
    if (before[what] === wanted[what]) continue;
    if (!(await change({ [what]: wanted[what] }))) fixed.add(what);
  }
  const about = await api.fetchServerInfo();
  return { about, fixed, invite: about.registration === 'invite' ? await inviteLink() : null };
}

/** Returns false if the operator has fixed the setting. */
async function change(fields: Fields<'update_server'>): Promise<boolean> {
  try {
    await api.updateServer(fields);
    return true;
  } catch (error) {
    if (error instanceof Refused && error.code === 'conflict') return false;
    throw error;
  }
}

async function inviteLink(): Promise<string> {
  const { invite } = await api.createInvite({ days: INVITE_DAYS, uses: INVITE_USES });
  const url = new URL(invite.url);
  // A server that listens on all addresses does not know which of them people use.
  const isNowhere = url.hostname === '0.0.0.0' || url.hostname === '[::]';
  return isNowhere ? location.origin + url.pathname : invite.url;
}
