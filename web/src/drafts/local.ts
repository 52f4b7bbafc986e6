/** Drafts on this device, across reloads and rooms. */

import { loadDraft, saveDraft, storeItem } from '../data/storage/local';
import type { ComposerMode } from '../app/composing.svelte';

/** The new text of message `seq` is stored apart from the room's own draft. */
const draftKey = (room: string, seq: number | null): string => (seq === null ? room : `${room}:${seq}`);

export function loadText(user: string, room: string, seq: number | null): string {
  return loadDraft(user, draftKey(room, seq));
}

export function saveText(user: string, room: string, seq: number | null, text: string): void {
  saveDraft(user, draftKey(room, seq), text);
  if (seq === null) drafts.onChange(room);
}

/** A composer on screen. */
export interface OpenComposer {
  readonly draft: string;
  /** Another device changed the draft. */
  replaceDraft(text: string): void;
}

/** The composers on screen, and hooks for the sync with other devices, which is loaded later. */
export const drafts = {
  composers: new Map<string, OpenComposer>(),
  onChange: (_room: string): void => undefined,
  onLeave: (_room: string): void => undefined,
};

// In the tab's storage: only what was being done in this tab is resumed in it.
const modeKey = (user: string, room: string): string => `hubbub.composing:${user}:${room}`;

export function loadMode(user: string, room: string): ComposerMode {
  const [, mode, seq] = /^(reply|edit) (\d+)$/.exec(sessionStorage.getItem(modeKey(user, room)) ?? '') ?? [];
  return mode && seq ? { mode: mode as 'reply' | 'edit', seq: Number(seq) } : { mode: 'write' };
}

export function saveMode(user: string, room: string, composing: ComposerMode): void {
  const key = modeKey(user, room);
  if (composing.mode === 'write') sessionStorage.removeItem(key);
  else storeItem(key, `${composing.mode} ${composing.seq}`, sessionStorage);
}
