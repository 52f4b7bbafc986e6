/** The less frequent words about messages, and their actions. */

import { pluralIn } from '../plural';

const plural = pluralIn('en');

const messages = (count: number) =>
  plural(count, { one: '# new message', other: '# new messages' });

export const message = {
  repliesTo: (name: string) => `Reply to ${name}`,
  quoteDeleted: 'A deleted message',
  quoteMissing: 'An earlier message',
  quoteFinding: 'Loading the message…',
  sending: 'Sending…',
  waiting: 'Waiting for a connection',
  failed: (reason: string) => `Not sent. ${reason}`,
  retry: 'Retry',
  loading: 'Loading messages…',
  empty: 'There are no messages here yet.',
  writeFirst: 'Write the first message',
  notKept: 'The messages will appear once you are connected.',
  older: 'You are looking at older messages',
  latest: 'Jump to latest',
  below: messages,
  notHere: 'That message is not in this room.',
  announced: (name: string, text: string) => `${name}: ${text}`,
  announcedAction: (name: string, text: string) => `${name} ${text}`,
  announcedMany: (count: number, room: string) => `${messages(count)} in #${room}`,
  announcedManyFrom: (count: number, people: string) => `${messages(count)} from ${people}`,
  reply: 'Reply',
  edit: 'Edit',
  deleteItem: 'Delete',
  copyText: 'Copy text',
  copyLink: 'Copy link',
  linkCopied: 'Link copied',
  textCopied: 'Text copied',
  notCopied: 'Your browser did not allow copying.',
  markUnread: 'Mark as unread',
  markedUnread: 'Marked as unread',
  deleteTitle: 'Delete this message?',
  deleteText: 'Nobody will be able to read it any more. This cannot be undone.',
  deleteDone: 'Message deleted',
};

export type MessageWords = typeof message;
