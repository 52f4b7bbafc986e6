/**
 * Reactions as the user sees them: those from the server, with the user's own changes applied at once,
 * and with all names where the message has only the first ones.
 */

import { session } from '../../../app/session/session.svelte';
import { attempt } from '../../../app/errors';
import { withPeople } from '../../../data/state/reducer';
import type { MarksEvent, Reacted, ServerEvent } from '../../../data/wire/protocol';
import type { Message, MessageRef } from '../../../data/state/state';
import { countReaction } from '../../../emoji/favourites';

/** A reaction set or removed here, until the message shows it. */
interface PendingReaction {
  on: boolean;
  /** The rev of the server's answer; null: not answered yet. */
  rev: number | null;
}

/** The people who reacted to a message, as of a rev of its marks. */
interface KnownReactors {
  rev: number;
  reactions: readonly Reacted[];
}

export interface ShownReaction {
  readonly emoji: string;
  readonly count: number;
  readonly names: readonly string[];
  /** Null: unknown, because not all names are listed. */
  readonly mine: boolean | null;
}

/** The most messages whose answers are cached. */
const KNOWN_MAX = 200;

const idOf = ({ room, seq }: MessageRef): string => `${room}/${seq}`;

class ReactionStore {
  #pending = $state.raw<ReadonlyMap<string, PendingReaction>>(new Map());
  #known = $state.raw<ReadonlyMap<string, KnownReactors>>(new Map());
  #asking = new Map<string, Promise<void>>();
  #chat: unknown = null;

  /** The reactions to show below a message. */
  of(message: Message, me: string): ShownReaction[] {
    const shown = message.marks.reactions.map(([emoji, count, names]) =>
      this.#shown(message, { emoji, count, names, mine: null }, me),
    );
    for (const [key, pending] of this.#pending) {
      const isOver = pending.rev !== null && message.marks.rev >= pending.rev;
      const emoji = key.slice(key.lastIndexOf('/') + 1);
      if (!isOver && key === keyOf(message, emoji)) apply(shown, emoji, pending.on, me);
    }
    return shown.filter(({ count }) => count > 0);
  }

  #shown(message: Message, reaction: ShownReaction, me: string): ShownReaction {
    const known = this.#known.get(idOf(message));
    const answer = known?.reactions.find(({ emoji }) => emoji === reaction.emoji);
    const isFresh = known !== undefined && known.rev >= message.marks.rev;
    const names = isFresh && answer ? answer.names : reaction.names;
    if (names.includes(me)) return { ...reaction, names, mine: true };
    if (names.length >= reaction.count) return { ...reaction, names, mine: false };
    return { ...reaction, names, mine: answer?.mine ?? (known ? false : null) };
  }

  /**
   * Sets or removes a reaction. If it is unknown whether the user has reacted, that is fetched first.
   */
  async toggle(message: Message, emoji: string): Promise<void> {
    const me = session.currentChat.user;
    const find = () => this.of(message, me).find((one) => one.emoji === emoji);
    if (find()?.mine === null && !(await attempt(() => this.ask(message)))) return;
    await this.react(message, emoji, !find()?.mine);
  }

  async react(message: Message, emoji: string, on: boolean): Promise<void> {
    const { room, seq } = message;
    const key = keyOf(message, emoji);
    const pending: PendingReaction = { on, rev: null };
    this.#setPending(key, pending);
    if (on) countReaction(session.currentChat.user, emoji);
    const isDone = await attempt(async () => {
      const { rev } = await session.currentChat.request('react', { room, seq, emoji, on });
      if (this.#pending.get(key) === pending) this.#setPending(key, { on, rev });
      this.#setMine(message, emoji, on);
    });
    if (!isDone && this.#pending.get(key) === pending) this.#setPending(key, null);
  }

  #setPending(key: string, pending: PendingReaction | null): void {
    // Answered changes are in the message, or about to be.
    const still = [...this.#pending].filter(([, { rev }]) => rev === null);
    const next = new Map(still);
    if (pending) next.set(key, pending);
    else next.delete(key);
    this.#pending = next;
  }

  /** Fetches all names if the message does not list them. Throws Refused or Disconnected. */
  ask(message: Message): Promise<void> {
    this.#listen();
    const id = idOf(message);
    const isKnown = (this.#known.get(id)?.rev ?? -1) >= message.marks.rev;
    const isNamed = message.marks.reactions.every(([, count, names]) => names.length >= count);
    if (isKnown || isNamed) return Promise.resolve();
    const asking = this.#asking.get(id) ?? this.#ask(message).finally(() => this.#asking.delete(id));
    this.#asking.set(id, asking);
    return asking;
  }

  async #ask({ room, seq, marks }: Message): Promise<void> {
    const { reactions, people } = await session.currentChat.request('reactions', { room, seq });
    session.currentChat.update((state) => withPeople(state, people));
    const newest = [...this.#known].slice(1 - KNOWN_MAX);
    this.#known = new Map([...newest, [idOf({ room, seq }), { rev: marks.rev, reactions }]]);
  }

  /** The user's reactions on other devices, which the message may not list. */
  #listen(): void {
    const chat = session.currentChat;
    if (this.#chat === chat) return;
    this.#chat = chat;
    this.#known = new Map();
    chat.listen((event: ServerEvent | null) => {
      if (event?.on === 'marks' && event.last?.by === chat.user) this.#onMyReaction(event);
    });
  }

  #onMyReaction({ room, seq, last }: MarksEvent): void {
    if (!last?.emoji || !/react/.test(last.did)) return;
    this.#setMine({ room, seq }, last.emoji, last.did === 'react');
  }

  #setMine(message: MessageRef, emoji: string, mine: boolean): void {
    const id = idOf(message);
    const known = this.#known.get(id);
    if (!known) return;
    const others = known.reactions.filter((one) => one.emoji !== emoji);
    const before = known.reactions.find((one) => one.emoji === emoji);
    const after = { emoji, count: before?.count ?? 1, names: before?.names ?? [], mine };
    // Its names are outdated now.
    this.#known = new Map(this.#known).set(id, { rev: -1, reactions: [...others, after] });
  }
}

const keyOf = (message: Message, emoji: string): string => `${idOf(message)}/${emoji}`;

function apply(shown: ShownReaction[], emoji: string, on: boolean, me: string): void {
  const at = shown.findIndex((one) => one.emoji === emoji);
  const before = shown[at] ?? { emoji, count: 0, names: [], mine: false };
  if (before.mine === on) return;
  const names = before.names.filter((name) => name !== me);
  if (on) names.push(me);
  const after = { emoji, names, mine: on, count: before.count + (on ? 1 : -1) };
  if (at < 0) shown.push(after);
  else shown[at] = after;
}

export const reactionStore = new ReactionStore();
