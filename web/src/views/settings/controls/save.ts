/** Settings that are saved immediately, without a form. */

import { copyText } from '../../../app/page/clipboard';
import { session } from '../../../app/session/session.svelte';
import { liveRegion } from '../../../app/liveRegion.svelte';
import { attempt } from '../../../app/errors';
import { settingsWords } from './words';

/** Returns whether it was saved. */
export async function saveNow(
  what: () => Promise<unknown>,
  notice: string = settingsWords().saved,
): Promise<boolean> {
  const isDone = await attempt(what);
  if (isDone) liveRegion.show(notice);
  return isDone;
}

export async function copyLink(url: string): Promise<void> {
  const t = settingsWords();
  if (await copyText(url)) liveRegion.show(t.linkCopied);
  else liveRegion.alert(t.copyFailed);
}

/** Nothing can be changed while the connection is lost. While connecting, that is not shown yet. */
export const isOffline = (): boolean => session.connection.status === 'lost';
export const isOnline = (): boolean => session.connection.status === 'online';
