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
  needsServer: 'Du bist offline. Das hier kommt vom Server.',
  guests: 'Gäste haben kein Konto, in dem sie etwas behalten könnten. Leg zuerst eines an.',
  noMentions: 'Noch hat dich niemand erwähnt.',
  noUnread: 'Du hast alle Erwähnungen gesehen.',

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
    'Nichts ist gemerkt. Wähle „Für später merken“ im Menü einer Nachricht, um sie hier zu finden.',
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
  nowhere: 'Nichts heißt so, oder du kannst dort nicht schreiben.',
  from: (name) => `Weitergeleitet von ${name}`,
  original: 'Original',
  originalIn: (title) => `Original in #${title}`,

  massMentionTitle: 'Allen Bescheid sagen?',
  notifiesRoom: (count) =>
    plural(count, {
      one: 'Das sagt es # Person. Senden?',
      other: 'Das sagt es # Personen. Senden?',
    }),
  notifiesHere: (count) =>
    plural(count, {
      one: 'Das sagt es # Person, falls sie gerade da ist. Senden?',
      other: 'Das sagt es denen von # Personen, die gerade da sind. Senden?',
    }),
};
