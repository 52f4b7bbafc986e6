/** The setup of a new server. */

export const setup = {
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
};

export type SetupWords = typeof setup;
