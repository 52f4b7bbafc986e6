/** What is done at once, without a form: says so, or says why not. */

import { copyText } from '../../app/clipboard';
import { words } from '../../app/language.svelte';
import { session } from '../../app/session.svelte';
import { speech } from '../../app/speech.svelte';
import { attempt } from '../../app/trouble';

/** Whether it was done. */
export async function saved(
  what: () => Promise<unknown>,
  said: string = words().settings.saved,
): Promise<boolean> {
  const isDone = await attempt(what);
  if (isDone) speech.show(said);
  return isDone;
}

export async function copyLink(url: string): Promise<void> {
  const t = words().settings;
  if (await copyText(url)) speech.show(t.linkCopied);
  else speech.alert(t.copyFailed);
}

/** Nothing can be changed while the connection is lost; it is not said while it is being made. */
export const isOffline = (): boolean => session.connection.status === 'lost';
export const isOnline = (): boolean => session.connection.status === 'online';
