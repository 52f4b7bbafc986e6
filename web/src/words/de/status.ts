import type { StatusWords } from '../en/status';

export const status: StatusWords = {
  reconnecting: 'Verbindung wird wiederhergestellt …',
  offline: 'Du bist offline. Nachrichten werden gesendet, sobald du wieder online bist.',
  kept: 'Du siehst, was zuletzt auf diesem Gerät gespeichert wurde.',
  notNow: 'Nicht jetzt',
  dismiss: 'Ausblenden',
  room: (title) => `#${title}`,
  title: (place, server) => `${place} · ${server}`,
  withCount: (count, title) => `(${count}) ${title}`,
  withUnread: (title) => `• ${title}`,
  settings: 'Einstellungen',
};
