/** Has what others say in the room on screen read out. */

import { Announcer } from '../../app/announcer';
import { titleOf } from '../../directory/naming';
import { session } from '../../app/session/session.svelte';
import { liveRegion } from '../../app/liveRegion.svelte';
import type { Message as WireMessage } from '../../data/wire/protocol';
import { displayName, type RoomState } from '../../data/state/state';
import { formattingWords } from '../../markdown/formattingWords';
import { excerpt } from '../../markdown/parsing/plain';
import { threadWords } from '../lists/threads/words';
import { messageWords } from '../message/words';

/** More than is read out, so that it says that there is more. */
const EXCERPT_MAX = 1_000;

const announcers = new Map<string, Announcer>();

/** A message came live; a room on screen is this one. */
export function announceMessage(message: WireMessage, room: RoomState): void {
  if (!isNews(message, room.room)) return;
  const announcer = announcers.get(room.room) ?? announcerOf(room);
  announcers.set(room.room, announcer);
  const name = displayName(session.currentChat.state, message.by);
  const text = excerpt(message.text ?? '', EXCERPT_MAX, `(${formattingWords().names.spoiler})`);
  announcer.add({ kind: message.kind ?? 'text', name, text });
}

function announcerOf(room: RoomState): Announcer {
  return new Announcer({
    say: (text) => {
      // What was gathered in a room that has gone is not of interest any more.
      if (session.chat?.state.open.has(room.room)) liveRegion.announce(text);
    },
    one: ({ kind, name, text }) => {
      if (room.parent !== null) return threadWords().announced(name, text);
      return messageWords()[kind === 'me' ? 'announcedAction' : 'announced'](name, text);
    },
    many: (count) => {
      if (room.parent !== null) return threadWords().announcedMany(count);
      const title = titleOf(session.state, room);
      const t = messageWords();
      return room.kind === 'direct' ? t.announcedManyFrom(count, title) : t.announcedMany(count, title);
    },
  });
}

/** Somebody else's, here, and neither an edit nor a deletion of an earlier one. */
function isNews(message: WireMessage, room: string): boolean {
  if (message.room !== room || message.by === session.currentChat.user || document.hidden) return false;
  return !message.deleted && !message.edited_at;
}
