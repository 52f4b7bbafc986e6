/** The details of a room; loaded when they are opened. */

import { pluralIn } from '../plural';

const plural = pluralIn('en');

export const roomDetails = {
  backToRoom: 'Back to the conversation',

  about: 'About',
  noTopic: 'No topic yet',
  edit: 'Edit title and topic',
  titleField: 'Title',
  topicField: 'Topic',
  topicHint: 'What is this room for?',
  needsTitle: 'Give the room a title.',
  tooLong: (limit: number): string =>
    plural(limit, { one: 'Use at most # character.', other: 'Use at most # characters.' }),
  isPublic: 'Public: anyone on this server can find it.',
  isPrivate: 'Private: only people who were added can see it.',
  isDirect: 'Only the people here can see this conversation.',
  isArchived: 'Archived: people can read it, but nobody can write in it.',
  created: (date: string): string => `Created on ${date}`,

  unread: 'Unread messages',
  all: 'All messages',
  allHint: 'Every new message marks the room as unread.',
  mentions: 'Mentions only',
  mentionsHint: 'Only messages that mention you count.',
  mute: 'Mute',
  muteHint: 'The room is dimmed and shows no unread mark.',

  people: 'People',
  members: 'Members',
  onlineNow: (count: number): string => plural(count, { one: '# online', other: '# online' }),
  addPeople: 'Add people',
  filter: 'Find a member',
  noneFound: 'There is no member with that name.',
  searchedFirst: (count: number): string =>
    plural(count, { one: 'Only # member was searched.', other: 'Only the first # members were searched.' }),
  showMore: 'Show more',
  you: 'you',
  roles: { owner: 'Owner', moderator: 'Moderator', member: 'Member' },
  actions: (name: string): string => `Actions for ${name}`,
  message: 'Message',
  mention: 'Mention',
  make: { owner: 'Make owner', moderator: 'Make moderator', member: 'Make member' },
  roleChanged: {
    owner: (name: string): string => `${name} is now an owner`,
    moderator: (name: string): string => `${name} is now a moderator`,
    member: (name: string): string => `${name} is now a member`,
  },
  stepDown: 'Give up your role?',
  stepDownText: 'You cannot take it back yourself; another owner has to give it to you again.',
  stepDownYes: 'Give it up',
  remove: 'Remove from the room',
  removeTitle: (name: string): string => `Remove ${name}?`,
  removePublic: 'They can join again at any time.',
  removePrivate: 'They can come back only if somebody adds them again.',
  removeYes: 'Remove',
  removed: (name: string): string => `${name} was removed`,

  addTitle: (title: string): string => `Add people to ${title}`,
  addField: 'People to add',
  add: 'Add',
  added: (count: number): string =>
    plural(count, { one: '# person was added', other: '# people were added' }),
  notAdded: (names: string, why: string): string => `Not added: ${names}. ${why}`,

  room: 'Room',
  conversation: 'Conversation',
  copyLink: 'Copy link',
  linkCopied: 'Link copied',
  notCopied: 'Your browser did not allow copying. You can copy the address of this page instead.',
  hide: 'Hide conversation',
  hideHint: 'It comes back when somebody writes in it.',
  leave: 'Leave room',
  leaveTitle: (title: string): string => `Leave ${title}?`,
  leavePrivate: 'This room is private: to come back, somebody in it has to add you again.',
  leaveLast: 'You are the last one here. The room and all its messages will be deleted for good.',
  leaveYes: 'Leave',
  handOver: 'You are the only owner. Make somebody else an owner first, then you can leave.',
  archive: 'Archive room',
  archiveHint: 'People can still read it, but nobody can write in it, and it disappears from the list.',
  unarchive: 'Unarchive room',
  archivedNow: 'The room is archived',
  unarchivedNow: 'People can write in the room again',
  deleteRoom: 'Delete room',
  deleteTitle: (title: string): string => `Delete ${title}?`,
  deleteText: 'All its messages are deleted too, for everyone and for good.',
  deleteField: (title: string): string => `Type “${title}” to confirm`,
  deleted: (title: string): string => `${title} was deleted`,
};

export type RoomDetailsWords = typeof roomDetails;
