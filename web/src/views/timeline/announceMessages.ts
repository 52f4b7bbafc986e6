/** Announces messages of others in the room on screen. */

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

/** Longer than what is announced, so that the announcer can add an ellipsis. */
const EXCERPT_MAX = 1_000;

const announcers = new Map<string, Announcer>();

/** Called with every live message, for each room on screen. */
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
      // The room may have left the screen before collected messages are announced.
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

/** By somebody else, in this room, and new: neither edited nor deleted. */
function isNews(message: WireMessage, room: string): boolean {
  if (message.room !== room || message.by === session.currentChat.user || document.hidden) return false;
  return !message.deleted && !message.edited_at;
}
