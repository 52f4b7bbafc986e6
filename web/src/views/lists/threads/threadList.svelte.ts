/** The followed threads: pages from the server, updated by later events. */

import { explain } from '../../../app/errors';
import type { Chat } from '../../../data/chat';
import type { FollowedThread } from '../../../data/wire/protocol';
import { Disconnected } from '../../../data/wire/errors';
import { withPeople } from '../../../data/state/reducer';
import { findMessage, toMessage, countUnread, type Message, type State } from '../../../data/state/state';

export interface ListedThread {
  readonly room: string;
  readonly root: Message;
  readonly last: Message | null;
  readonly seq: number;
  readonly unread: number;
}

const toListedThread = ({ thread, root, last }: FollowedThread): ListedThread => ({
  room: thread.room,
  root: toMessage(root),
  last: last && toMessage(last),
  seq: thread.seq ?? 0,
  unread: Math.max(0, (thread.seq ?? 0) - (thread.read_seq ?? 0)),
});

const at = ({ last, root }: ListedThread): number => last?.at ?? root.at;

/** The newest page, followed by the listed threads that are older than all of it. */
export function mergePage(
  page: readonly ListedThread[],
  cursor: string | null,
  before: readonly ListedThread[],
): readonly ListedThread[] {
  const last = page.at(-1);
  if (cursor === null || !last) return page;
  const known = new Set(page.map(({ room }) => room));
  return [...page, ...before.filter((one) => !known.has(one.room) && at(one) <= at(last))];
}

/** Applies later edits, deletions and read markers. */
export function withLatest(state: State, list: readonly ListedThread[]): ListedThread[] {
  const now = (message: Message): Message => {
    const room = state.rooms.get(message.room);
    const known = room && findMessage(room, message.seq);
    return known && known.rev >= message.rev ? known : message;
  };
  return list.map((one) => {
    const room = state.rooms.get(one.room);
    const isMine = room !== undefined && room.role !== null;
    return {
      ...one,
      root: now(one.root),
      last: one.last && now(one.last),
      unread: isMine ? countUnread(room) : one.unread,
    };
  });
}

export class ThreadList {
  /** Null: not loaded yet. */
  list = $state.raw<readonly ListedThread[] | null>(null);
  cursor = $state.raw<string | null>(null);
  problem = $state.raw('');
  #isBusy = false;
  #refreshAgain = false;

  constructor(
    private readonly chat: Chat,
    private readonly onlyUnread: boolean,
  ) {}

  /** Loads the newest page again. One request at a time, because replies may arrive at any time. */
  async refresh(): Promise<void> {
    this.#refreshAgain = true;
    if (this.#isBusy) return;
    while (this.#refreshAgain) {
      this.#refreshAgain = false;
      await this.#ask('', (page, cursor) => {
        const isFirst = this.list === null || cursor === null;
        this.list = mergePage(page, cursor, this.list ?? []);
        if (isFirst) this.cursor = cursor;
      });
    }
  }

  async more(): Promise<void> {
    if (this.cursor === null || this.#isBusy) return;
    await this.#ask(this.cursor, (page, cursor) => {
      const known = new Set(page.map(({ room }) => room));
      this.list = [...(this.list ?? []).filter(({ room }) => !known.has(room)), ...page];
      this.cursor = cursor;
    });
    if (this.#refreshAgain) await this.refresh();
  }

  async #ask(
    after: string,
    take: (page: ListedThread[], cursor: string | null) => void,
  ): Promise<void> {
    this.#isBusy = true;
    try {
      const reply = await this.chat.request('threads', { unread: this.onlyUnread, after });
      this.chat.update((state) => withPeople(state, reply.people));
      take(reply.threads.map(toListedThread), reply.cursor);
      this.problem = '';
    } catch (error) {
      // The page itself shows that it is offline, and loads again after reconnecting.
      this.problem = error instanceof Disconnected ? '' : explain(error);
    } finally {
      this.#isBusy = false;
    }
  }
}

/** Also threads that are not listed yet, or had no replies for a long time. */
export async function readAll(chat: Chat): Promise<void> {
  for (let after: string | null = ''; after !== null; ) {
    const page: { threads: FollowedThread[]; cursor: string | null } = await chat.request(
      'threads',
      { unread: true, after },
    );
    for (const { thread } of page.threads) {
      const seq = thread.seq ?? 0;
      if (chat.state.rooms.get(thread.room)?.role != null) chat.markers.read(thread.room, seq);
      else await chat.request('read', { room: thread.room, seq });
    }
    after = page.cursor;
  }
}
