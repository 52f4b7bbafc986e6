import type { Words } from '../en';

export const status: Words['status'] = {
  reconnecting: 'Verbindung wird wiederhergestellt …',
  offline: 'Du bist offline. Nachrichten werden gesendet, sobald du wieder online bist.',
  kept: 'Du siehst, was dein Gerät vom letzten Mal behalten hat.',
  newVersion: 'Eine neue Version ist da.',
  reload: 'Neu laden und aktualisieren',
  notNow: 'Nicht jetzt',
  dismiss: 'Ausblenden',
  room: (title) => `#${title}`,
  title: (place, server) => `${place} · ${server}`,
  withCount: (count, title) => `(${count}) ${title}`,
  withUnread: (title) => `• ${title}`,
  settings: 'Einstellungen',
};
