/** Announces reactions to the user's messages. */

import { Announcer } from '../../../app/announcer';
import { session } from '../../../app/session/session.svelte';
import { liveRegion } from '../../../app/liveRegion.svelte';
import type { ServerEvent } from '../../../data/wire/protocol';
import { displayName, findMessage } from '../../../data/state/state';
import { fetchNames } from './findNames';
import { markWords } from './words';

/** Until the returned function is called. */
export function announceReactions(room: string): () => void {
  const announcer = new Announcer({
    say: (text) => liveRegion.announce(text),
    one: ({ name, text }) => markWords().reacted(name, text),
    many: (count) => markWords().reactedMany(count),
  });
  const unlisten = session.currentChat.listen((event, isLive) => {
    if (isLive && event) void hear(event, room, announcer);
  });
  return () => {
    unlisten();
    announcer.stop();
  };
}

async function hear(event: ServerEvent, room: string, announcer: Announcer): Promise<void> {
  if (event.on !== 'marks' || event.room !== room || document.hidden) return;
  const chat = session.currentChat;
  const { by, did, emoji } = event.last ?? {};
  if (did !== 'react' || !by || !emoji || by === chat.user) return;
  const known = chat.state.rooms.get(room);
  if (!known || findMessage(known, event.seq)?.by !== chat.user) return;
  await fetchNames([by]);
  if (!chat.state.open.has(room)) return;
  announcer.add({ kind: 'text', name: displayName(chat.state, by), text: emoji });
}
