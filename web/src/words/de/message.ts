import type { MessageWords } from '../en/message';
import { pluralIn } from '../plural';

const plural = pluralIn('de');

const messages = (count: number) =>
  plural(count, { one: '# neue Nachricht', other: '# neue Nachrichten' });

export const message: MessageWords = {
  repliesTo: (name) => `Antwort an ${name}`,
  quoteDeleted: 'Eine gelöschte Nachricht',
  quoteMissing: 'Eine frühere Nachricht',
  quoteFinding: 'Die Nachricht wird geladen …',
  sending: 'Wird gesendet …',
  waiting: 'Wartet auf eine Verbindung',
  failed: (reason) => `Nicht gesendet. ${reason}`,
  retry: 'Noch einmal senden',
  loading: 'Nachrichten werden geladen …',
  empty: 'Hier gibt es noch keine Nachrichten.',
  writeFirst: 'Schreib die erste Nachricht',
  notKept: 'Die Nachrichten erscheinen, sobald du verbunden bist.',
  older: 'Du siehst ältere Nachrichten',
  latest: 'Zu den neuesten',
  below: messages,
  notHere: 'Diese Nachricht gibt es in diesem Raum nicht.',
  announced: (name, text) => `${name}: ${text}`,
  announcedAction: (name, text) => `${name} ${text}`,
  announcedMany: (count, room) => `${messages(count)} in #${room}`,
  announcedManyFrom: (count, people) => `${messages(count)} von ${people}`,
  reply: 'Antworten',
  edit: 'Bearbeiten',
  deleteItem: 'Löschen',
  copyText: 'Text kopieren',
  copyLink: 'Link kopieren',
  linkCopied: 'Link kopiert',
  textCopied: 'Text kopiert',
  notCopied: 'Dein Browser hat das Kopieren nicht erlaubt.',
  markUnread: 'Als ungelesen markieren',
  markedUnread: 'Als ungelesen markiert',
  deleteTitle: 'Diese Nachricht löschen?',
  deleteText: 'Niemand wird sie mehr lesen können. Das lässt sich nicht rückgängig machen.',
  deleteDone: 'Nachricht gelöscht',
};
