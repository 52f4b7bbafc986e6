/** Quoting, forwarding and saving, as the menu of a message offers them. */

import { Bookmark, BookmarkX, Forward, TextQuote } from 'lucide';
import { dialogs } from '../../../app/page/dialogs.svelte';
import { isGuest, may } from '../../../app/policy';
import { session } from '../../../app/session/session.svelte';
import { liveRegion } from '../../../app/liveRegion.svelte';
import { composerIn } from '../../../app/composing.svelte';
import { attempt } from '../../../app/errors';
import type { Message, RoomState } from '../../../data/state/state';
import type { MenuItem } from '../../../parts/Menu.svelte';
import { bookmarksOf } from './bookmarks.svelte';
import { listWords } from '../words';

/** Each line with a quote sign, and an empty line for the answer. */
export const toQuote = (text: string): string => `${text.trim().replace(/^/gm, '> ')}\n\n`;

/** Loads the bookmarks, so that the menu knows whether the message is saved. */
export function fetchBookmarks(): void {
  if (!isGuest(session.state)) bookmarksOf(session.currentChat).ensureLoaded();
}

export function askForNote(message: Message, before: string | null): void {
  dialogs.showCustom(() => import('./Note.svelte'), { message, before });
}

async function removeBookmark(message: Message): Promise<void> {
  const isGone = await attempt(() => bookmarksOf(session.currentChat).remove(message));
  if (isGone) liveRegion.show(listWords().isRemoved);
}

export function savingItems(message: Message, room: RoomState): MenuItem[] {
  const t = listWords();
  const items: MenuItem[] = [];
  if (!message.deleted && may.post(session.state, room)) {
    const quote = () => composerIn(room.room).insert(toQuote(message.text));
    items.push({ label: t.quote, icon: TextQuote, run: quote });
  }
  if (!message.deleted) {
    const forward = () => dialogs.showCustom(() => import('../../forward/Forward.svelte'), { message });
    items.push({ label: t.forward, icon: Forward, run: forward });
  }
  if (isGuest(session.state)) return items;
  if (bookmarksOf(session.currentChat).find(message)) {
    items.push({ label: t.unsave, icon: BookmarkX, run: () => removeBookmark(message) });
  } else if (!message.deleted) {
    items.push({ label: t.save, icon: Bookmark, run: () => askForNote(message, null) });
  }
  return items;
}
