/** The drafts of this browser, as they are carried to other devices. */

import type { Chat } from '../data/chat';
import { keepDraft, keepItem, knownKey, roomsWithDrafts } from '../data/storage/local';
import { Drafting, type Desk } from './sync';
import { drafts, loadMode, loadText, saveMode } from './local';
import { UNKNOWN, type Known } from './merge';
import { session } from '../app/session/session.svelte';
import { talkIn } from '../app/composing.svelte';

interface Kept {
  /** What another epoch of the server had is no longer there. */
  epoch: string | null;
  rooms: Record<string, Known>;
}

/** The new text of a message has its number after the room. */
const IS_EDIT = /:\d+$/;

class BrowserDesk implements Desk {
  // Of this tab: another tab's composer may not have what was heard of there.
  #known = new Map<string, Known>();
  #epoch: string | null = null;

  constructor(private readonly chat: Chat) {}

  rooms(): Set<string> {
    const written = [...roomsWithDrafts(this.chat.user)].filter((name) => !IS_EDIT.test(name));
    this.#look();
    return new Set([...written, ...this.#known.keys(), ...drafts.writers.keys()]);
  }

  text(room: string): string {
    const text = drafts.writers.get(room)?.draft ?? loadText(this.chat.user, room, null);
    return text.trim() === '' ? '' : text;
  }

  replyTo(room: string): number | null {
    const composing = drafts.writers.has(room)
      ? talkIn(room).composing
      : loadMode(this.chat.user, room);
    return composing.mode === 'reply' ? composing.seq : null;
  }

  put(room: string, text: string, replyTo: number | null): void {
    const writer = drafts.writers.get(room);
    if (writer) writer.take(text);
    else keepDraft(this.chat.user, room, text);
    this.#setReply(room, text, replyTo);
    session.draftsHeard += 1;
  }

  isTyping(room: string): boolean {
    const { activeElement } = document;
    const writer = drafts.writers.get(room);
    if (!writer || !document.hasFocus()) return false;
    return activeElement instanceof HTMLTextAreaElement && activeElement.value === writer.draft;
  }

  known(room: string): Known {
    this.#look();
    return this.#known.get(room) ?? UNKNOWN;
  }

  keep(room: string, known: Known): void {
    this.#look();
    const { rooms } = this.#kept();
    if (known.base === '' && known.aside === '') {
      this.#known.delete(room);
      delete rooms[room];
    } else {
      this.#known.set(room, known);
      rooms[room] = known;
    }
    keepItem(knownKey(this.chat.user), JSON.stringify({ epoch: this.#epoch, rooms }));
  }

  #look(): void {
    const { epoch } = this.chat.state;
    if (epoch === this.#epoch) return;
    this.#epoch = epoch;
    this.#known = new Map(Object.entries(this.#kept().rooms));
  }

  #kept(): Kept {
    try {
      const kept = JSON.parse(localStorage.getItem(knownKey(this.chat.user)) ?? 'null') as Kept | null;
      if (kept?.epoch === this.#epoch) return kept;
    } catch {
      // Somebody tampered with it.
    }
    return { epoch: this.#epoch, rooms: {} };
  }

  #setReply(room: string, text: string, replyTo: number | null): void {
    const isHere = drafts.writers.has(room);
    const { mode } = isHere ? talkIn(room).composing : loadMode(this.chat.user, room);
    if (mode === 'edit' || (mode === 'reply' && text !== '')) return;
    const composing =
      replyTo === null ? ({ mode: 'write' } as const) : ({ mode: 'reply', seq: replyTo } as const);
    if (isHere) talkIn(room).composing = composing;
    else saveMode(this.chat.user, room, composing);
  }
}

/** Until the returned function is called. */
export function followDrafts(chat: Chat): () => void {
  const drafting = new Drafting(chat, new BrowserDesk(chat));
  const { changed, left } = drafts;
  drafts.changed = (room) => drafting.typed(room);
  drafts.left = (room) => drafting.flush(room);
  const stopListening = chat.listen((event) => drafting.hear(event));
  // A page that goes out of sight may not come back.
  const rest = () => drafting.rest();
  // Where the focus goes is known a moment later.
  const restSoon = () => setTimeout(rest, 0);
  document.addEventListener('focusout', restSoon);
  document.addEventListener('visibilitychange', rest);
  addEventListener('blur', rest);
  if (chat.isOnline) void drafting.load();
  return () => {
    Object.assign(drafts, { changed, left });
    stopListening();
    document.removeEventListener('focusout', restSoon);
    document.removeEventListener('visibilitychange', rest);
    removeEventListener('blur', rest);
    drafting.stop();
  };
}
