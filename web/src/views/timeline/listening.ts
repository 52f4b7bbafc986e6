/** Has what others say in the room on screen read out. Gives back how to stop. */

import { Announcer } from '../../app/announce';
import { words } from '../../app/language.svelte';
import { titleOf } from '../../app/naming';
import { session } from '../../app/session.svelte';
import { speech } from '../../app/speech.svelte';
import type { Message as WireMessage } from '../../data/protocol';
import { displayName, type RoomState } from '../../data/state';

export function listen(room: () => RoomState): () => void {
  const announcer = new Announcer({
    say: (text) => speech.announce(text),
    one: ({ kind, name, text }) => words().timeline[kind === 'me' ? 'does' : 'spoken'](name, text),
    many: (count) => {
      const title = titleOf(session.state, room());
      const t = words().timeline;
      return room().kind === 'direct' ? t.spokenManyWith(count, title) : t.spokenMany(count, title);
    },
  });
  const before = session.heard;
  session.heard = (message) => {
    before(message);
    if (!isNews(message, room().room)) return;
    const name = displayName(session.here.state, message.by);
    announcer.hear({ kind: message.kind ?? 'text', name, text: message.text ?? '' });
  };
  return () => {
    session.heard = before;
    announcer.stop();
  };
}

/** Somebody else's, here, and neither an edit nor a deletion of an earlier one. */
function isNews(message: WireMessage, room: string): boolean {
  if (message.room !== room || message.by === session.here.user || document.hidden) return false;
  return !message.deleted && !message.edited_at;
}
