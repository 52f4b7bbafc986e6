/** A new owner's first decisions, as the server takes them. */

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
  /** What the operator has set, so that it could not be decided here. */
  fixed: ReadonlySet<keyof Decisions>;
  /** A link to share, where one is needed to join. */
  invite: string | null;
}

/** Throws Refused or Unreachable; doing it again does no harm. */
export async function setUp(wanted: Decisions): Promise<Result> {
  const fixed = new Set<keyof Decisions>();
  const before = await api.fetchServerInfo();
  // One by one, since what the operator has set makes the server refuse all that comes with it.
  for (const what of ['name', 'registration', 'guests'] as const) {
    if (before[what] === wanted[what]) continue;
    if (!(await change({ [what]: wanted[what] }))) fixed.add(what);
  }
  const about = await api.fetchServerInfo();
  return { about, fixed, invite: about.registration === 'invite' ? await inviteLink() : null };
}

/** Whether the server left the decision to us. */
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
  // A server that listens on all addresses does not know by which of them people come.
  const isNowhere = url.hostname === '0.0.0.0' || url.hostname === '[::]';
  return isNowhere ? location.origin + url.pathname : invite.url;
}
