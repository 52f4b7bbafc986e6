/** What is half-written in a room, over reloads and from room to room. */

import { draftOf, keepDraft, keepItem } from '../data/storage/local';
import type { ComposerMode } from '../app/composing.svelte';

/** The new text of message `seq` is kept beside the room's own draft, which it does not touch. */
const draftKey = (room: string, seq: number | null): string => (seq === null ? room : `${room}:${seq}`);

export function loadText(user: string, room: string, seq: number | null): string {
  return draftOf(user, draftKey(room, seq));
}

export function saveText(user: string, room: string, seq: number | null, text: string): void {
  keepDraft(user, draftKey(room, seq), text);
  if (seq === null) drafts.onChange(room);
}

/** A composer on screen. */
export interface OpenComposer {
  readonly draft: string;
  /** Another device went on with the draft. */
  replaceDraft(text: string): void;
}

/** What is on screen, and whoever carries drafts to other devices, which comes later. */
export const drafts = {
  composers: new Map<string, OpenComposer>(),
  onChange: (_room: string): void => undefined,
  onLeave: (_room: string): void => undefined,
};

// Of a tab and not of the device: only what was being done here is taken up again here.
const modeKey = (user: string, room: string): string => `hubbub.composing:${user}:${room}`;

export function loadMode(user: string, room: string): ComposerMode {
  const [, mode, seq] = /^(reply|edit) (\d+)$/.exec(sessionStorage.getItem(modeKey(user, room)) ?? '') ?? [];
  return mode && seq ? { mode: mode as 'reply' | 'edit', seq: Number(seq) } : { mode: 'write' };
}

export function saveMode(user: string, room: string, composing: ComposerMode): void {
  const key = modeKey(user, room);
  if (composing.mode === 'write') sessionStorage.removeItem(key);
  else keepItem(key, `${composing.mode} ${composing.seq}`, sessionStorage);
}
