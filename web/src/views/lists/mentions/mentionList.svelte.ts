/** The mentions of the user: pages from the server, the latest first, updated by later events. */

import { explain } from '../../../app/errors';
import type { Chat } from '../../../data/chat';
import { Disconnected } from '../../../data/wire/errors';
import { mentionsMe } from '../../../data/state/unread';
import { withPeople } from '../../../data/state/reducer';
import { findMessage, toMessage, readUpTo, type Message, type State } from '../../../data/state/state';

export interface ListedMention {
  readonly message: Message;
  /** As of the server's answer. */
  readonly unread: boolean;
}

const keyOf = ({ message }: ListedMention): string => `${message.room} ${message.seq}`;

/** The newest page, followed by the older entries that were already listed. */
export function mergePage(page: readonly ListedMention[], before: readonly ListedMention[]): ListedMention[] | null {
  const keys = new Set(page.map(keyOf));
  const at = before.findIndex((one) => keys.has(keyOf(one)));
  // None of them was listed, so there may be others in between.
  if (at < 0) return null;
  const last = page.at(-1)?.message.at ?? 0;
  return [...page, ...before.filter((one) => !keys.has(keyOf(one)) && one.message.at < last)];
}

/** Applies later edits, deletions and read markers. */
export function withLatest(state: State, list: readonly ListedMention[], me: string): ListedMention[] {
  return list.flatMap((one) => {
    const room = state.rooms.get(one.message.room);
    const known = room && findMessage(room, one.message.seq);
    const message = known && known.rev >= one.message.rev ? known : one.message;
    if (!mentionsMe(message, me)) return [];
    const unread = room && room.role !== null ? message.seq > readUpTo(room) : one.unread;
    return [{ message, unread }];
  });
}

export class MentionList {
  list = $state.raw<readonly ListedMention[] | null>(null);
  cursor = $state.raw<string | null>(null);
  isBusy = $state.raw(false);
  problem = $state.raw('');
  #serial = 0;

  constructor(
    private readonly chat: Chat,
    private readonly onlyUnread: boolean,
  ) {}

  /** Loads the newest page again and keeps the older entries. */
  refresh(): Promise<void> {
    return this.#ask('', (page, cursor) => {
      const all = this.list && mergePage(page, this.list);
      if (!all) this.cursor = cursor;
      this.list = all ?? page;
    });
  }

  async more(): Promise<void> {
    if (this.cursor === null || this.isBusy) return;
    await this.#ask(this.cursor, (page, cursor) => {
      this.list = [...(this.list ?? []), ...page];
      this.cursor = cursor;
    });
  }

  async #ask(
    after: string,
    take: (page: ListedMention[], cursor: string | null) => void,
  ): Promise<void> {
    this.#serial += 1;
    const serial = this.#serial;
    this.isBusy = true;
    try {
      const unread = this.onlyUnread;
      const reply = await this.chat.request('mentions', { unread, after });
      if (serial !== this.#serial) return;
      this.chat.update((state) => withPeople(state, reply.people));
      const page = reply.mentions.map((one) => ({ ...one, message: toMessage(one.message) }));
      take(page, reply.cursor);
      this.problem = '';
    } catch (error) {
      if (serial !== this.#serial) return;
      // The page itself shows that it is offline, and loads again after reconnecting.
      this.problem = error instanceof Disconnected ? '' : explain(error);
    }
    this.isBusy = false;
  }
}
