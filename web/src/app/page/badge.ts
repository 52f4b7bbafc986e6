/** What is unread, shown where the page itself may not be seen: its title, its icon, the app's. */

import { countUnread, countUnreadMentions, type State } from '../../data/state/state';

export interface UnreadSummary {
  /** Messages meant for this person: mentions, and all in direct rooms. */
  count: number;
  /** Whether anything at all is unread. */
  any: boolean;
}

/** Rooms that were muted or put away do not ask for anything. */
export function summarizeUnread(state: State): UnreadSummary {
  let count = 0;
  let any = false;
  for (const room of state.rooms.values()) {
    if (room.hidden || room.notify === 'none') continue;
    const isForMe = room.kind === 'direct' && room.notify === 'all';
    count += isForMe ? countUnread(room) : countUnreadMentions(room);
    any ||= room.notify === 'all' && countUnread(room) > 0;
  }
  return { count, any: any || count > 0 };
}

/** On the tab, and on the installed app's icon where the system has such. */
export function showBadge({ count, any }: UnreadSummary): void {
  const icon = document.querySelector<HTMLLinkElement>('link[rel="icon"]');
  const address = any ? '/favicon-unread.svg' : '/favicon.svg';
  // Setting it, even to the same, makes the browser fetch it.
  if (icon && icon.getAttribute('href') !== address) icon.setAttribute('href', address);
  // No number shows as a dot. Refused where the app is not installed.
  const shown = any ? navigator.setAppBadge?.(count || undefined) : navigator.clearAppBadge?.();
  shown?.catch(() => undefined);
}
