/** Connects the drafts of this browser with the sync. */

import type { Chat } from '../data/chat';
import { saveDraft, storeItem, knownKey, listRoomsWithDrafts } from '../data/storage/local';
import { DraftSync, type DraftStore } from './sync';
import { drafts, loadMode, loadText, saveMode } from './local';
import { UNKNOWN, type KnownDraft } from './merge';
import { session } from '../app/session/session.svelte';
import { composerIn } from '../app/composing.svelte';

interface StoredDrafts {
  /** What the server had in another epoch is gone. */
  epoch: string | null;
  rooms: Record<string, KnownDraft>;
}

/** The key of an edited message ends with its number. */
const IS_EDIT = /:\d+$/;

class BrowserDraftStore implements DraftStore {
  // Per tab: the composer of another tab may not have received the same events.
  #known = new Map<string, KnownDraft>();
  #epoch: string | null = null;

  constructor(private readonly chat: Chat) {}

  rooms(): Set<string> {
    const written = [...listRoomsWithDrafts(this.chat.user)].filter((name) => !IS_EDIT.test(name));
    this.#loadForEpoch();
    return new Set([...written, ...this.#known.keys(), ...drafts.composers.keys()]);
  }

  text(room: string): string {
    const text = drafts.composers.get(room)?.draft ?? loadText(this.chat.user, room, null);
    return text.trim() === '' ? '' : text;
  }

  replyTo(room: string): number | null {
    const composing = drafts.composers.has(room)
      ? composerIn(room).composing
      : loadMode(this.chat.user, room);
    return composing.mode === 'reply' ? composing.seq : null;
  }

  put(room: string, text: string, replyTo: number | null): void {
    const composer = drafts.composers.get(room);
    if (composer) composer.replaceDraft(text);
    else saveDraft(this.chat.user, room, text);
    this.#setReply(room, text, replyTo);
    session.draftsRevision += 1;
  }

  isTyping(room: string): boolean {
    const { activeElement } = document;
    const composer = drafts.composers.get(room);
    if (!composer || !document.hasFocus()) return false;
    return activeElement instanceof HTMLTextAreaElement && activeElement.value === composer.draft;
  }

  known(room: string): KnownDraft {
    this.#loadForEpoch();
    return this.#known.get(room) ?? UNKNOWN;
  }

  keep(room: string, known: KnownDraft): void {
    this.#loadForEpoch();
    const { rooms } = this.#readStored();
    if (known.base === '' && known.aside === '') {
      this.#known.delete(room);
      delete rooms[room];
    } else {
      this.#known.set(room, known);
      rooms[room] = known;
    }
    storeItem(knownKey(this.chat.user), JSON.stringify({ epoch: this.#epoch, rooms }));
  }

  #loadForEpoch(): void {
    const { epoch } = this.chat.state;
    if (epoch === this.#epoch) return;
    this.#epoch = epoch;
    this.#known = new Map(Object.entries(this.#readStored().rooms));
  }

  #readStored(): StoredDrafts {
    try {
      const stored = JSON.parse(localStorage.getItem(knownKey(this.chat.user)) ?? 'null') as StoredDrafts | null;
      if (stored?.epoch === this.#epoch) return stored;
    } catch {
      // The stored value was damaged.
    }
    return { epoch: this.#epoch, rooms: {} };
  }

  #setReply(room: string, text: string, replyTo: number | null): void {
    const isHere = drafts.composers.has(room);
    const { mode } = isHere ? composerIn(room).composing : loadMode(this.chat.user, room);
    if (mode === 'edit' || (mode === 'reply' && text !== '')) return;
    const composing =
      replyTo === null ? ({ mode: 'write' } as const) : ({ mode: 'reply', seq: replyTo } as const);
    if (isHere) composerIn(room).composing = composing;
    else saveMode(this.chat.user, room, composing);
  }
}

/** Syncs until the returned function is called. */
export function syncDrafts(chat: Chat): () => void {
  const sync = new DraftSync(chat, new BrowserDraftStore(chat));
  const { onChange, onLeave } = drafts;
  drafts.onChange = (room) => sync.onTyped(room);
  drafts.onLeave = (room) => sync.flush(room);
  const stopListening = chat.listen((event) => sync.onEvent(event));
  // A hidden page may never become visible again.
  const onPause = () => sync.onPause();
  // The newly focused element is known only a moment later.
  const restSoon = () => setTimeout(onPause, 0);
  document.addEventListener('focusout', restSoon);
  document.addEventListener('visibilitychange', onPause);
  addEventListener('blur', onPause);
  if (chat.isOnline) void sync.load();
  return () => {
    Object.assign(drafts, { onChange, onLeave });
    stopListening();
    document.removeEventListener('focusout', restSoon);
    document.removeEventListener('visibilitychange', onPause);
    removeEventListener('blur', onPause);
    sync.stop();
  };
}
