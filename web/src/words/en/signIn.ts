/** The sign-in page. Not loaded while somebody is signed in. */

import { pluralIn } from '../plural';

const plural = pluralIn('en');

export const signIn = {
  signIn: 'Sign in',
  createAccount: 'Create account',
  newHere: 'New here?',
  toSignUp: 'Create an account',
  haveAccount: 'Have an account already?',
  toSignIn: 'Sign in',
  backToChat: 'Back to the chat',
  language: 'Language',
  version: (version: string) => `Hubbub ${version}`,

  ended: 'Your session has ended. Sign in again.',
  endedUnsent:
    'Your session has ended. Sign in again. Unsent messages are kept and go out once you are back.',
  noGuests: 'This server lets no guests in any more. Sign in with an account.',
  signedOut: 'You have signed out. Nothing of your account is left in this browser.',
  leavingDue:
    'You are signed out here. The session itself ends as soon as the server is reached.',
  unreachable: 'The server cannot be reached right now. This page tries again every few seconds.',
  invitedAlready: 'You have an account here already, so you need no invite.',

  name: 'Name',
  nameHint: 'Letters, digits, dots, hyphens and underscores. It cannot be changed later.',
  nameBecomes: (name: string) => `You will be @${name}`,
  nameMissing: 'Enter your name.',
  nameLong: 'A name has at most 32 characters.',
  nameCharacters: 'Only letters, digits, dots, hyphens and underscores; no spaces.',
  nameEdges: 'A name begins and ends with a letter or a digit.',
  shownAs: 'Shown as (optional)',
  shownAsHint: 'What others see beside your messages. You can change it at any time.',
  shownAsLong: 'At most 64 characters, please.',
  password: 'Password',
  passwordHint: 'At least 8 characters. Three words do well.',
  passwordShort: 'A password has at least 8 characters.',
  passwordMissing: 'Enter your password.',
  show: 'Show',
  showTyped: 'Show what I type',

  create: 'Create your account',
  invited: 'You are invited. Create your account',
  guestCreate: 'Keep your place: create an account',
  inviteNeeded: 'New accounts need an invite. Ask somebody who is here for a link, and open it.',
  closed: 'This server takes no new accounts.',
  first: 'This server is brand new. Create the first account, and off you go.',
  firstByLink: 'This link makes you the owner of this server. Your account comes first.',
  noOwner:
    'Nobody owns this server yet. If you have started it: open the link that it printed then.',
  waitMinutes: (minutes: number) =>
    plural(minutes, {
      one: 'Too many tries. Wait # minute, then try again.',
      other: 'Too many tries. Wait # minutes, then try again.',
    }),
  waitSeconds: (seconds: number) =>
    plural(seconds, {
      one: 'Too many tries. Wait # second, then try again.',
      other: 'Too many tries. Wait # seconds, then try again.',
    }),

  or: 'or',
  guestName: 'Called (optional)',
  guestNameHint: 'Guests can read and write in public rooms, without an account.',
  enterAsGuest: 'Look in as a guest',
};

export type SignInWords = typeof signIn;
