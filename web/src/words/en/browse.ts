/** Finding and creating rooms, choosing people, the switcher; loaded with these views. */

import { pluralIn } from '../plural';

const plural = pluralIn('en');

export const browse = {
  // Browse rooms
  search: 'Search rooms',
  members: (count: number): string => plural(count, { one: '# member', other: '# members' }),
  join: 'Join',
  joinRoom: (title: string): string => `Join ${title}`,
  open: 'Open',
  openRoom: (title: string): string => `Open ${title}`,
  joined: 'Joined',
  private: 'Private',
  archived: 'Archived',
  showMore: 'Show more',
  showAll: 'Show all rooms',
  noRooms: 'There are no rooms yet.',
  noRoomFound: 'There is no matching room.',
  found: (count: number): string => plural(count, { one: '# room', other: '# rooms' }),
  browseOffline: 'You’re offline. The list of rooms needs a connection.',

  // A new room
  newRoom: 'Create a room',
  title: 'Title',
  needsTitle: 'Give the room a title.',
  titleTooLong: 'Use at most 80 characters.',
  topic: 'Topic',
  topicTooLong: 'Use at most 500 characters.',
  optional: 'optional',
  topicHint: 'What is this room for?',
  who: 'Who can find it?',
  public: 'Public',
  publicHint: 'Anyone on this server can find it, read it and join.',
  privateHint: 'Only people who are added can see it.',
  peopleToAdd: 'People to add',
  create: 'Create room',

  // A direct message
  newDirect: 'New message',
  to: 'To',
  start: 'Start conversation',
  directHint: 'Choose one to eight people.',

  // Choosing people
  findPeople: 'Search by name',
  chosen: 'Chosen people',
  remove: (name: string): string => `Remove ${name}`,
  added: (name: string): string => `${name} added`,
  removed: (name: string): string => `${name} removed`,
  nobody: 'There is nobody with that name.',
  nobodyElse: 'There is nobody else yet.',
  full: (max: number): string =>
    plural(max, { one: 'You can choose at most # person.', other: 'You can choose at most # people.' }),
  peopleOffline: 'You’re offline. You can search for people again when you’re back.',

  // The switcher
  switch: 'Go to a room or person',
  switchField: 'Room or person',
  switchHint: 'Where to?',
  recent: 'Recent',
  yours: 'Rooms and people',
  toJoin: 'Rooms to join',
  others: 'People',
  unread: (count: number): string =>
    plural(count, { one: '# unread message', other: '# unread messages' }),
  nothing: 'There is no matching room or person.',
  results: (count: number): string => plural(count, { one: '# result', other: '# results' }),
  switchOffline: 'You’re offline, so only your own rooms are listed.',

  // A room that the user is not in
  joinHint: 'You are not in this room. Join to read it and write in it.',
  none: 'This room does not exist, or it is private.',
  removedHere: 'You are no longer in this room.',
  gone: 'You are no longer in this room, or it was deleted.',
  roomOffline: 'You’re offline, and this room is not stored on this device.',
};

export type BrowseWords = typeof browse;
