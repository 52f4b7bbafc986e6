/** Mentions, saved messages, forwarding and mass mentions; loaded with these. */

import { pluralIn } from '../plural';

const plural = pluralIn('en');

export const lists = {
  all: 'All',
  unread: 'Unread',
  show: 'Show',
  isUnread: 'unread',
  inRoom: (title: string) => `in #${title}`,
  inThread: (title: string) => `in a thread in #${title}`,
  withPeople: (people: string) => `with ${people}`,
  inThreadWith: (people: string) => `in a thread with ${people}`,
  showMore: 'Show more',
  needsServer: 'You’re offline. This list needs a connection.',
  guests: 'Guests cannot use this list. Create an account first.',
  noMentions: 'Nobody has mentioned you yet.',
  noUnread: 'You have no unread mentions.',

  save: 'Save for later',
  unsave: 'Remove from saved',
  isSaved: 'Saved for later',
  isRemoved: 'No longer saved',
  note: 'Note',
  noteHint: 'Only you see it. It can be empty.',
  editNote: 'Edit note',
  addNote: 'Add a note',
  remove: 'Remove',
  removeOf: (text: string) => `Remove from saved: ${text}`,
  noSaved: 'Nothing is saved yet. Choose “Save for later” in a message’s menu, and the message will appear here.',
  unreadable: 'This message was deleted, or you can no longer read it.',

  quote: 'Quote',
  forward: 'Forward…',
  forwardTitle: 'Forward message',
  forwardTo: 'To',
  forwardHint: 'Room or person',
  change: 'Change',
  comment: 'Comment',
  commentHint: 'What do you want to add?',
  doForward: 'Forward',
  forwarded: (title: string) => `Forwarded to #${title}`,
  forwardedWith: (people: string) => `Forwarded to ${people}`,
  goThere: 'Go there',
  stay: 'Stay here',
  places: 'Rooms and people',
  nowhere: 'There is no matching room or person, or you cannot write there.',
  from: (name: string) => `Forwarded from ${name}`,
  original: 'original',
  originalIn: (title: string) => `original in #${title}`,

  massMentionTitle: 'Notify everybody?',
  notifiesRoom: (count: number) =>
    plural(count, { one: 'This will notify # person. Send it?', other: 'This will notify # people. Send it?' }),
  notifiesHere: (count: number) =>
    plural(count, {
      one: 'This will notify # person, if they are online now. Send it?',
      other: 'This will notify everybody who is online now, at most # people. Send it?',
    }),
};

export type ListWords = typeof lists;
