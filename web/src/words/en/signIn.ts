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
    'Your session has ended. Sign in again. Your unsent messages are kept, and will be sent once you are back.',
  noGuests: 'This server no longer accepts guests. Sign in with an account.',
  signedOut: 'You have signed out. Nothing from your account is left in this browser.',
  leavingDue:
    'You are signed out in this browser. The session ends as soon as the server can be reached.',
  unreachable: 'The server cannot be reached right now. This page tries again every few seconds.',
  invitedAlready: 'You already have an account here, so you do not need the invite.',

  name: 'Name',
  nameHint: 'Letters, digits, dots, hyphens and underscores. It cannot be changed later.',
  nameBecomes: (name: string) => `You will be @${name}`,
  nameMissing: 'Enter your name.',
  nameLong: 'Use at most 32 characters.',
  nameCharacters: 'Use only letters, digits, dots, hyphens and underscores, and no spaces.',
  nameEdges: 'Begin and end the name with a letter or a digit.',
  shownAs: 'Display name (optional)',
  shownAsHint: 'What others see beside your messages. You can change it at any time.',
  shownAsLong: 'Use at most 64 characters.',
  password: 'Password',
  passwordHint: 'Use at least 8 characters. Three random words work well.',
  passwordShort: 'Use at least 8 characters.',
  passwordMissing: 'Enter your password.',
  show: 'Show',
  showTyped: 'Show what I type',

  create: 'Create your account',
  invited: 'You are invited. Create your account',
  guestCreate: 'Create an account and stay',
  inviteNeeded: 'You need an invite to create an account. Ask an admin of this server for a link, and open it.',
  closed: 'This server does not accept new accounts.',
  first: 'This server is brand new. Create the first account to get started.',
  firstByLink: 'This link makes you the owner of this server. Create your account first.',
  noOwner:
    'This server has no owner yet. If you started it, open the link that it printed when it started.',
  waitMinutes: (minutes: number) =>
    plural(minutes, {
      one: 'Too many attempts. Wait # minute, then try again.',
      other: 'Too many attempts. Wait # minutes, then try again.',
    }),
  waitSeconds: (seconds: number) =>
    plural(seconds, {
      one: 'Too many attempts. Wait # second, then try again.',
      other: 'Too many attempts. Wait # seconds, then try again.',
    }),

  or: 'or',
  guestName: 'Guest name (optional)',
  guestNameHint: 'Guests can read and write in public rooms, without an account.',
  enterAsGuest: 'Continue as a guest',
};

export type SignInWords = typeof signIn;
