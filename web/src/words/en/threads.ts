/** Threads: on their root message, beside the room, and in the list of followed threads. */

import { pluralIn } from '../plural';

const plural = pluralIn('en');
const list = new Intl.ListFormat('en');

const replies = (count: number) => plural(count, { one: '# reply', other: '# replies' });

export const threads = {
  replyInThread: 'Reply in thread',
  replies,
  last: (when: string | null) => (when ? `last reply ${when}` : 'just now'),
  justNow: 'just now',
  /**
   * The number of replies, whether any is new, the time of the last one, and the people who replied.
   */
  open: (thread: { count: number; isUnread: boolean; when: string; names: string[] }) => {
    const { count, isUnread, when, names } = thread;
    const parts = [replies(count), ...(isUnread ? ['unread'] : []), `last one ${when}`];
    if (names.length > 0) parts.push(`by ${list.format(names)}`);
    return `${parts.join(', ')}. Open thread`;
  },

  title: 'Thread',
  inRoom: (title: string) => `in #${title}`,
  withPeople: (people: string) => `with ${people}`,
  messages: 'Replies',
  backToRoom: 'Back to the room',
  follow: 'Follow',
  unfollow: 'Unfollow',
  followHint: 'You will find new replies under Threads',
  followed: 'You are following this thread',
  unfollowed: 'You are no longer following this thread',
  write: 'Reply in the thread',
  alsoInRoom: (title: string) => `Also send to #${title}`,
  alsoInDirect: 'Also send to the conversation',
  noReplies: 'Nobody has replied yet.',
  noRoot: 'The message of this thread is not in this room.',
  rootDeleted: 'This message was deleted, so it has no thread.',
  notKept: 'The replies will appear once you are connected.',
  announced: (name: string, text: string) => `${name} in the thread: ${text}`,
  announcedMany: (count: number) =>
    plural(count, { one: '# new reply in the thread', other: '# new replies in the thread' }),

  readAll: 'Mark all as read',
  allRead: 'All threads are marked as read',
  none: 'You are not following any threads yet. Reply to a message in its thread, and the thread will appear here.',
  noUnread: 'You have read everything in your threads.',
  showMore: 'Show more',
  newReplies: (count: number) => plural(count, { one: '# new', other: '# new' }),
};

export type ThreadWords = typeof threads;
