/** The setup of a new server. */

export const setup = {
  setUp: 'Set up your server',
  setUpHint: 'It belongs to you now. You can change all of this later in the settings.',
  serverName: 'What is your server called?',
  serverNameHint: 'For example, the name of your team, club or family.',
  serverNameMissing: 'Enter a name for the server.',
  serverNameLong: 'Use at most 60 characters.',
  whoMayJoin: 'Who may join?',
  joining: {
    open: 'Everyone who can reach it',
    invite: 'People with an invite link',
    closed: 'Nobody new',
  },
  guestsToo: 'Allow guests',
  guestsTooHint: 'People without an account can read and write in public rooms.',
  done: 'Continue',
  later: 'Decide later',

  ready: 'Your chat is ready',
  readyOpen: 'Everyone who can reach this server can create an account.',
  readyInvite: (days: number, people: number) =>
    `Share this link with the people you want to invite. It works for ${days} days and ${people} people. You can create more links in the settings.`,
  readyClosed: 'Nobody new can join. You can change that in the settings.',
  fixedRegistration:
    'Who may join is set by an option of the server, so it was not changed.',
  fixedGuests:
    'Whether guests are allowed is set by an option of the server, so it was not changed.',
  inviteLink: 'Invite link',
  copy: 'Copy',
  open: 'Open the chat',
};

export type SetupWords = typeof setup;
