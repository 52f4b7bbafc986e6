/**
 * Reactions as this person sees them: what the server told, with what is on its way to it, and who
 * the others are where the messages name only the first.
 */

import { session } from '../../../app/session/session.svelte';
import { attempt } from '../../../app/errors';
import { withPeople } from '../../../data/state/reducer';
import type { MarksEvent, Reacted, ServerEvent } from '../../../data/wire/protocol';
import type { Message } from '../../../data/state/state';
import { countReaction } from '../../../emoji/favourites';

/** A reaction that was set or taken back here, until the message says so itself. */
interface PendingReaction {
  on: boolean;
  /** What the server answered; null: nothing yet. */
  rev: number | null;
}

/** Who reacted to a message, as of a rev of its marks. */
interface KnownReactors {
  rev: number;
  reactions: readonly Reacted[];
}

export interface ShownReaction {
  readonly emoji: string;
  readonly count: number;
  readonly names: readonly string[];
  /** Null: I may be among those who are not named. */
  readonly mine: boolean | null;
}

/** Messages whose answers are kept. */
const ASKED_MAX = 200;

const idOf = ({ room, seq }: { room: string; seq: number }): string => `${room}/${seq}`;

class ReactionStore {
  #pending = $state.raw<ReadonlyMap<string, PendingReaction>>(new Map());
  #known = $state.raw<ReadonlyMap<string, KnownReactors>>(new Map());
  #asking = new Map<string, Promise<void>>();
  #chat: unknown = null;

  /** What to show below a message. */
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
    const asked = this.#known.get(idOf(message));
    const answer = asked?.reactions.find(({ emoji }) => emoji === reaction.emoji);
    const isFresh = asked !== undefined && asked.rev >= message.marks.rev;
    const names = isFresh && answer ? answer.names : reaction.names;
    if (names.includes(me)) return { ...reaction, names, mine: true };
    if (names.length >= reaction.count) return { ...reaction, names, mine: false };
    return { ...reaction, names, mine: answer?.mine ?? (asked ? false : null) };
  }

  /** React, or take it back. Whoever may have reacted already is asked for first. */
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
    // Those that were answered have been told, or are about to be.
    const still = [...this.#pending].filter(([, { rev }]) => rev === null);
    const next = new Map(still);
    if (pending) next.set(key, pending);
    else next.delete(key);
    this.#pending = next;
  }

  /** Find out who all reacted, if the message does not name them. Throws Refused or Disconnected. */
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
    const kept = [...this.#known].slice(1 - ASKED_MAX);
    this.#known = new Map([...kept, [idOf({ room, seq }), { rev: marks.rev, reactions }]]);
  }

  /** What I do on another device is mine too, though the message may not name me. */
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

  #setMine(message: { room: string; seq: number }, emoji: string, mine: boolean): void {
    const id = idOf(message);
    const asked = this.#known.get(id);
    if (!asked) return;
    const others = asked.reactions.filter((one) => one.emoji !== emoji);
    const before = asked.reactions.find((one) => one.emoji === emoji);
    const after = { emoji, count: before?.count ?? 1, names: before?.names ?? [], mine };
    // Its names are as of an older rev now.
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
