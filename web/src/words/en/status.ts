/** The state of the connection, and the titles of the page. */
export const status = {
  reconnecting: 'Reconnecting…',
  offline: 'You’re offline. Messages will be sent when you’re back.',
  kept: 'You are seeing what was last stored on this device.',
  notNow: 'Not now',
  dismiss: 'Dismiss',
  /** Titles of the page. */
  room: (title: string) => `#${title}`,
  title: (place: string, server: string) => `${place} · ${server}`,
  withCount: (count: number, title: string) => `(${count}) ${title}`,
  withUnread: (title: string) => `• ${title}`,
  settings: 'Settings',
};

export type StatusWords = typeof status;
