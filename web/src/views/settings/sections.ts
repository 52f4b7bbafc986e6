/** The sections of the settings, and to whom each is available. */

import { isGuest, may } from '../../app/policy';
import type { Section } from '../../app/router.svelte';
import type { State } from '../../data/state/state';

export const OF_PERSON = ['profile', 'password', 'devices', 'appearance', 'blocked'] as const;
export const OF_SERVER = ['server', 'people', 'invites', 'about'] as const;

/** The people who may open a section; also the key of the sentence that says so. */
export type Restriction = 'account' | 'owners' | 'admins';

const hasAccount = (state: State): boolean => !isGuest(state);

const RULES: Record<Section, readonly [Restriction, (state: State) => boolean]> = {
  profile: ['account', hasAccount],
  password: ['account', hasAccount],
  devices: ['account', hasAccount],
  appearance: ['account', () => true],
  blocked: ['account', hasAccount],
  server: ['owners', may.manageServer],
  people: ['admins', may.manageUsers],
  invites: ['admins', may.inviteToServer],
  about: ['account', () => true],
};

/** Null: the user may open it. */
export function findRestriction(state: State, section: Section): Restriction | null {
  const [who, isOpen] = RULES[section];
  return isOpen(state) ? null : who;
}

/** The sections that the user may open. */
export function listOpenSections<S extends Section>(state: State, sections: readonly S[]): S[] {
  return sections.filter((section) => findRestriction(state, section) === null);
}
