import type { ThreadWords } from '../en/threads';
import { pluralIn } from '../plural';

const plural = pluralIn('de');
const list = new Intl.ListFormat('de');

const replies = (count: number) => plural(count, { one: '# Antwort', other: '# Antworten' });

export const threads: ThreadWords = {
  replyInThread: 'Im Thread antworten',
  replies,
  last: (when) => (when ? `zuletzt ${when}` : 'gerade eben'),
  justNow: 'gerade eben',
  open: ({ count, isUnread, when, names }) => {
    const parts = [replies(count), ...(isUnread ? ['ungelesen'] : []), `zuletzt ${when}`];
    if (names.length > 0) parts.push(`von ${list.format(names)}`);
    return `${parts.join(', ')}. Thread öffnen`;
  },

  title: 'Thread',
  inRoom: (title) => `in #${title}`,
  withPeople: (people) => `mit ${people}`,
  messages: 'Antworten',
  backToRoom: 'Zurück zum Raum',
  follow: 'Folgen',
  unfollow: 'Nicht mehr folgen',
  followHint: 'Neue Antworten findest du dann unter „Threads“',
  followed: 'Du folgst diesem Thread',
  unfollowed: 'Du folgst diesem Thread nicht mehr',
  write: 'Im Thread antworten',
  alsoInRoom: (title) => `Auch in #${title} senden`,
  alsoInDirect: 'Auch im Gespräch senden',
  noReplies: 'Noch hat niemand geantwortet.',
  noRoot: 'Die Nachricht zu diesem Thread gibt es in diesem Raum nicht.',
  rootDeleted: 'Diese Nachricht wurde gelöscht und hat daher keinen Thread.',
  notKept: 'Die Antworten erscheinen, sobald du verbunden bist.',
  announced: (name, text) => `${name} im Thread: ${text}`,
  announcedMany: (count) =>
    plural(count, { one: '# neue Antwort im Thread', other: '# neue Antworten im Thread' }),

  readAll: 'Alle als gelesen markieren',
  allRead: 'Alle Threads sind als gelesen markiert',
  none: 'Du folgst noch keinem Thread. Antworte im Thread einer Nachricht, dann erscheint er hier.',
  noUnread: 'Du hast in deinen Threads alles gelesen.',
  showMore: 'Mehr anzeigen',
  newReplies: (count) => plural(count, { one: '# neue', other: '# neue' }),
};
