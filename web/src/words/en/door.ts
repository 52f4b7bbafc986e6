import { pluralIn } from '../plural';

const plural = pluralIn('en');

export const door = {
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
  waitSeconds: (seconds: number) =>
    plural(seconds, {
      one: 'Too many tries. Wait # second, then try again.',
      other: 'Too many tries. Wait # seconds, then try again.',
    }),

  or: 'or',
  called: 'Called (optional)',
  calledHint: 'Guests can read and write in public rooms, without an account.',
  lookIn: 'Look in as a guest',

  setUp: 'Set up your server',
  setUpHint: 'You own it now. All of this can be changed later, in the settings.',
  serverName: 'What is it called?',
  serverNameHint: 'Your team, your club, your family.',
  serverNameMissing: 'Give it a name.',
  serverNameLong: 'At most 60 characters, please.',
  whoMayJoin: 'Who may join?',
  joining: {
    open: 'Everyone who can reach it',
    invite: 'People with an invite link',
    closed: 'Nobody new',
  },
  guestsToo: 'Guests may look in',
  guestsTooHint: 'Without an account, into public rooms only.',
  done: 'Continue',
  later: 'Decide later',

  ready: 'Your chat is ready',
  readyOpen: 'Everyone who can reach this server can create an account.',
  readyInvite: (days: number, people: number) =>
    `Share this link with those you want here. It is good for ${days} days and ${people} people; you find more in the settings.`,
  readyClosed: 'Nobody new can join. You can change that in the settings.',
  fixedRegistration:
    'Who may join was set when the server was started, so it stays as it is and can be changed there.',
  fixedGuests:
    'Whether guests may look in was set when the server was started, so it stays as it is and can be changed there.',
  inviteLink: 'Invite link',
  copy: 'Copy',
  open: 'Open the chat',

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
