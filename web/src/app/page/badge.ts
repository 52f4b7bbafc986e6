/**
 * Shows unread messages where the page itself may be hidden: in its title, its icon and the app icon.
 */

import { countUnread, countUnreadMentions, type State } from '../../data/state/state';

export interface UnreadSummary {
  /** Messages addressed to this person: mentions, and everything in direct rooms. */
  count: number;
  /** Whether anything is unread at all. */
  any: boolean;
}

/** Muted and hidden rooms do not count. */
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

/** On the tab, and on the icon of the installed app where the system supports it. */
export function showBadge({ count, any }: UnreadSummary): void {
  const icon = document.querySelector<HTMLLinkElement>('link[rel="icon"]');
  const address = any ? '/favicon-unread.svg' : '/favicon.svg';
  // Setting the address makes the browser fetch the icon, even if it is the same address.
  if (icon && icon.getAttribute('href') !== address) icon.setAttribute('href', address);
  // Without a number the badge is a dot. The call is rejected if the app is not installed.
  const shown = any ? navigator.setAppBadge?.(count || undefined) : navigator.clearAppBadge?.();
  shown?.catch(() => undefined);
}
