/** The sidebar; the words for finding and creating rooms are in `browse.ts`. */

import { pluralIn } from '../plural';

const plural = pluralIn('en');

export const rooms = {
  skip: 'Skip to the conversation',
  list: 'Rooms and people',
  rooms: 'Rooms',
  people: 'People',
  roomRegion: 'Room',
  find: (keys: string): string => `Go to a room or person: ${keys}`,
  create: 'Create a room',
  newDirect: 'New message',
  browse: 'Browse rooms',
  threads: 'Threads',
  thread: 'Thread',
  unreadThreads: (count: number): string =>
    plural(count, { one: '# unread thread', other: '# unread threads' }),
  mentioned: 'Mentions',
  saved: 'Saved',

  unread: (count: number): string =>
    plural(count, { one: '# unread message', other: '# unread messages' }),
  mentions: (count: number): string => plural(count, { one: '# mention', other: '# mentions' }),
  draft: 'Draft',
  muted: 'Muted',
  private: 'Private',
  archived: 'Archived',

  account: (name: string): string => `Your account: ${name}`,
  connecting: 'Connecting…',
  settings: 'Settings',
  keys: 'Keyboard shortcuts',
  signOut: 'Sign out',
  createAccount: 'Create an account',
};
