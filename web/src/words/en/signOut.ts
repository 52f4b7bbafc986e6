/** The dialog for signing out. */

import { pluralIn } from '../plural';

const plural = pluralIn('en');

export const signOut = {
  signOut: 'Sign out',
  signOutAnyway: 'Sign out anyway',
  unsent: (count: number) =>
    plural(count, {
      one: '# message has not been sent yet.',
      other: '# messages have not been sent yet.',
    }),
  drafts: (count: number) =>
    plural(count, {
      one: '# draft has not been sent yet.',
      other: '# drafts have not been sent yet.',
    }),
  wouldBeLost: 'Signing out erases everything that this browser stores for your account, including this text.',
  serverAway:
    'The server did not answer. You can sign out anyway: everything that this browser stores for your account is erased now, and the session ends as soon as this browser can reach the server again.',
};

export type SignOutWords = typeof signOut;
