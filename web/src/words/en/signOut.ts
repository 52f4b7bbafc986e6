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
      one: '# draft has been started and not sent.',
      other: '# drafts have been started and not sent.',
    }),
  wouldBeLost: 'Signing out erases what this browser keeps of your account, this text as well.',
  serverAway:
    'The server did not answer. You can sign out all the same: what this browser keeps is erased at once, and the session ends as soon as this browser reaches the server again.',
};

export type SignOutWords = typeof signOut;
