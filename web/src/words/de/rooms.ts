import type { Words } from '../en';
import { pluralIn } from '../plural';

const plural = pluralIn('de');

export const rooms: Words['rooms'] = {
  skip: 'Zum Gespräch springen',
  list: 'Räume und Personen',
  rooms: 'Räume',
  people: 'Personen',
  roomRegion: 'Raum',
  find: (keys) => `Zu einem Raum oder einer Person gehen: ${keys}`,
  create: 'Raum anlegen',
  newDirect: 'Neue Nachricht',
  browse: 'Räume ansehen',
  threads: 'Threads',
  thread: 'Thread',
  unreadThreads: (count) =>
    plural(count, { one: '# ungelesener Thread', other: '# ungelesene Threads' }),
  mentioned: 'Erwähnungen',
  saved: 'Gemerkt',

  unread: (count) =>
    plural(count, { one: '# ungelesene Nachricht', other: '# ungelesene Nachrichten' }),
  mentions: (count) => plural(count, { one: '# Erwähnung', other: '# Erwähnungen' }),
  draft: 'Entwurf',
  muted: 'Stummgeschaltet',
  private: 'Privat',
  archived: 'Archiviert',

  account: (name) => `Dein Konto: ${name}`,
  connecting: 'Wird verbunden …',
  settings: 'Einstellungen',
  keys: 'Tastenkürzel',
  signOut: 'Abmelden',
  createAccount: 'Konto anlegen',
};
