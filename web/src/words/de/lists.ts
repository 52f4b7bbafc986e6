import type { ListWords } from '../en/lists';
import { pluralIn } from '../plural';

const plural = pluralIn('de');

export const lists: ListWords = {
  all: 'Alle',
  unread: 'Ungelesene',
  show: 'Anzeigen',
  isUnread: 'ungelesen',
  inRoom: (title) => `in #${title}`,
  inThread: (title) => `in einem Thread in #${title}`,
  withPeople: (people) => `mit ${people}`,
  inThreadWith: (people) => `in einem Thread mit ${people}`,
  showMore: 'Mehr anzeigen',
  needsServer: 'Du bist offline. Für diese Liste brauchst du eine Verbindung.',
  guests: 'Gäste können diese Liste nicht nutzen. Lege zuerst ein Konto an.',
  noMentions: 'Noch hat dich niemand erwähnt.',
  noUnread: 'Du hast keine ungelesenen Erwähnungen.',

  save: 'Für später merken',
  unsave: 'Nicht mehr merken',
  isSaved: 'Für später gemerkt',
  isRemoved: 'Nicht mehr gemerkt',
  note: 'Notiz',
  noteHint: 'Nur du siehst sie. Sie kann leer bleiben.',
  editNote: 'Notiz bearbeiten',
  addNote: 'Notiz hinzufügen',
  remove: 'Entfernen',
  removeOf: (text) => `Nicht mehr merken: ${text}`,
  noSaved:
    'Noch ist nichts gemerkt. Wähle im Menü einer Nachricht „Für später merken“, dann erscheint sie hier.',
  unreadable: 'Diese Nachricht wurde gelöscht, oder du kannst sie nicht mehr lesen.',

  quote: 'Zitieren',
  forward: 'Weiterleiten …',
  forwardTitle: 'Nachricht weiterleiten',
  forwardTo: 'An',
  forwardHint: 'Raum oder Person',
  change: 'Ändern',
  comment: 'Kommentar',
  commentHint: 'Was möchtest du dazu sagen?',
  doForward: 'Weiterleiten',
  forwarded: (title) => `Weitergeleitet an #${title}`,
  forwardedWith: (people) => `Weitergeleitet an ${people}`,
  goThere: 'Dorthin gehen',
  stay: 'Hier bleiben',
  places: 'Räume und Personen',
  nowhere: 'Es gibt keinen passenden Raum und keine passende Person, oder du kannst dort nicht schreiben.',
  from: (name) => `Weitergeleitet von ${name}`,
  original: 'Original',
  originalIn: (title) => `Original in #${title}`,

  massMentionTitle: 'Alle benachrichtigen?',
  notifiesRoom: (count) =>
    plural(count, {
      one: 'Damit benachrichtigst du # Person. Senden?',
      other: 'Damit benachrichtigst du # Personen. Senden?',
    }),
  notifiesHere: (count) =>
    plural(count, {
      one: 'Damit benachrichtigst du # Person, falls sie gerade online ist. Senden?',
      other: 'Damit benachrichtigst du alle, die gerade online sind, höchstens # Personen. Senden?',
    }),
};
