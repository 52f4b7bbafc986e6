/**
 * What the client knows, as one immutable value. Views read it; only `reducer.ts` makes new ones.
 */

import type {
  Marks as WireMarks,
  Me,
  Message as WireMessage,
  MessageKind,
  MyRoom,
  Notify,
  Origin,
  Person,
  Presence,
  Reaction,
  RoomKind,
  RoomRole,
  ServerInfo,
} from '../wire/protocol';

/** What was added to a message, as of a rev of its own. */
export interface Marks {
  readonly rev: number;
  readonly reactions: readonly Reaction[];
  readonly pinned: boolean;
  readonly pinnedBy: string | null;
  readonly replies: number;
  readonly repliedAt: number | null;
  readonly repliers: readonly string[];
}

/** A message with every field in place. */
export interface Message {
  readonly room: string;
  readonly seq: number;
  readonly rev: number;
  readonly by: string;
  readonly at: number;
  readonly text: string;
  readonly kind: MessageKind;
  readonly nonce: string | null;
  readonly replyTo: number | null;
  readonly editedAt: number | null;
  readonly deleted: boolean;
  readonly mentions: readonly string[];
  readonly origin: Origin | null;
  readonly marks: Marks;
}

const NOBODY: readonly string[] = [];

export function toMarks(wire: WireMarks, rev: number): Marks {
  return {
    rev,
    reactions: wire.reactions ?? [],
    pinned: wire.pinned ?? false,
    pinnedBy: wire.pinned_by ?? null,
    replies: wire.replies ?? 0,
    repliedAt: wire.replied_at ?? null,
    repliers: wire.repliers ?? NOBODY,
  };
}

export function toMessage(wire: WireMessage): Message {
  return {
    room: wire.room,
    seq: wire.seq,
    rev: wire.rev,
    by: wire.by,
    at: wire.at,
    text: wire.text ?? '',
    kind: wire.kind ?? 'text',
    nonce: wire.nonce ?? null,
    replyTo: wire.reply_to ?? null,
    editedAt: wire.edited_at ?? null,
    deleted: wire.deleted ?? false,
    mentions: wire.mentions ?? NOBODY,
    origin: wire.origin ?? null,
    marks: toMarks(wire, wire.marks_rev ?? 0),
  };
}

/** A message brings along all that was added to it before its own last change. */
export function withMarks(message: Message, marks: Marks | undefined): Message {
  if (!marks || marks.rev <= Math.max(message.rev, message.marks.rev)) return message;
  return { ...message, marks };
}

/** What is newest in two states of one message; the known one itself if that is all of it. */
export function newest(known: Message | undefined, message: Message): Message {
  if (!known) return message;
  return known.rev < message.rev
    ? withMarks(message, known.marks)
    : withMarks(known, message.marks);
}

/** Messages of a room without a hole between them, by rising seq. */
export interface Segment {
  readonly messages: readonly Message[];
  /** Whether the room's first message is in it. */
  readonly start: boolean;
}

/** The members of a room by name, as far as they were asked for. */
export interface MemberList {
  readonly roles: ReadonlyMap<string, RoomRole>;
  readonly mrev: number;
  /** More members than are listed: the next page begins after the last name. */
  readonly more: boolean;
}

export type CatchUp =
  /** Nothing is owed: live events continue what we have. */
  | 'none'
  /** Sent with the welcome, or asked for by `sync`: changes are on their way. */
  | 'hello'
  | 'sync'
  /** Changes are owed and not asked for until somebody opens the room. */
  | 'later';

export interface RoomState {
  readonly room: string;
  /** A thread: the room it is in, and the message it is about. */
  readonly parent: string | null;
  readonly parentSeq: number | null;
  readonly kind: RoomKind;
  readonly title: string;
  readonly topic: string;
  readonly createdAt: number;
  readonly archived: boolean;
  /** The rev as of which title, topic and archive are known. */
  readonly titleRev: number;
  readonly members: number;
  readonly mrev: number;
  readonly role: RoomRole | null;
  readonly notify: Notify;
  readonly hidden: boolean;
  /** The others in a direct room. */
  readonly people: readonly string[];
  /** The person who added me, until I say that I stay. */
  readonly addedBy: string | null;

  /** The newest seq and rev heard of, whether or not what they stand for is here. */
  readonly seq: number;
  readonly rev: number;
  /** Every change up to here has been applied; null: nothing of this room is kept. */
  readonly have: number | null;
  /** Revs above `have` that were applied already. */
  readonly ahead: ReadonlySet<number>;
  readonly catchUp: CatchUp;

  /** The latest messages. */
  readonly live: Segment;
  /** Older messages someone is looking at, apart from `live`. */
  readonly detachedRange: Segment | null;
  /** Messages that belong to neither yet: a hole before them is still to be filled. */
  readonly outOfOrder: ReadonlyMap<number, Message>;
  /** Marks of messages that may still come as they were before: seq → the newest. */
  readonly earlyMarks: ReadonlyMap<number, Marks>;
  /** Pages of history on their way: until they come, changes to any message are kept. */
  readonly loading: number;

  readonly readSeq: number;
  /** Unread mentions of me. */
  readonly mentions: number;
  /** Posts up to here are counted in `readSeq` and `mentions`, and so are those of `counted`. */
  readonly countedSeq: number;
  readonly counted: ReadonlySet<number>;
  /** My own posts that are read as soon as everything before them is. */
  readonly ownSeqs: ReadonlySet<number>;
  /** A marker that was sent and not answered yet. */
  readonly sentRead: number | null;
  /** My rev at which my side of the room (marker, notify, role) was last told whole. */
  readonly myRev: number;

  readonly memberList: MemberList | null;
  /** How many are online in a room too large to tell one by one. */
  readonly online: number | null;
}

export interface State {
  readonly epoch: string | null;
  readonly me: Me | null;
  readonly server: ServerInfo | null;
  /** My rev, contiguous, and the newest heard of; a difference asks for `me`. */
  readonly myRev: number;
  readonly myHead: number;
  readonly rooms: ReadonlyMap<string, RoomState>;
  readonly people: ReadonlyMap<string, Person>;
  readonly presence: ReadonlyMap<string, Presence>;
  /** Room → who writes there → until when (milliseconds, this device's clock). */
  readonly typing: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /**
   * The rooms on screen, a room and a thread of it: they keep more messages, and what they are
   * owed is asked for. Each with whether its timeline is at its end and moves on with new messages.
   */
  readonly open: ReadonlyMap<string, boolean>;
}

export const NO_MESSAGES: Segment = { messages: [], start: false };

export const INITIAL: State = {
  epoch: null,
  me: null,
  server: null,
  myRev: 0,
  myHead: 0,
  rooms: new Map(),
  people: new Map(),
  presence: new Map(),
  typing: new Map(),
  open: new Map(),
};

/** A room heard of for the first time. */
export function toRoomState(wire: MyRoom, myRev: number): RoomState {
  const seq = wire.seq ?? 0;
  const rev = wire.rev ?? 0;
  return {
    room: wire.room,
    parent: wire.parent ?? null,
    parentSeq: wire.parent_seq ?? null,
    kind: wire.kind,
    title: wire.title,
    topic: wire.topic ?? '',
    createdAt: wire.created_at ?? 0,
    archived: wire.archived ?? false,
    titleRev: rev,
    members: wire.members ?? 0,
    mrev: wire.mrev ?? 0,
    role: wire.role ?? null,
    notify: wire.notify ?? 'all',
    hidden: wire.hidden ?? false,
    people: (wire.people ?? []).map((person) => person.name),
    addedBy: wire.added_by ?? null,
    seq,
    rev,
    have: null,
    ahead: new Set(),
    catchUp: 'later',
    live: NO_MESSAGES,
    detachedRange: null,
    outOfOrder: new Map(),
    earlyMarks: new Map(),
    loading: 0,
    readSeq: wire.read_seq ?? 0,
    mentions: wire.mentions ?? 0,
    countedSeq: seq,
    counted: new Set(),
    ownSeqs: new Set(),
    sentRead: null,
    myRev,
    memberList: null,
    online: null,
  };
}

// --- what views ask of it -----------------------------------------------------------------------

/** How far this person has read, counting a marker that is on its way. */
export function readUpTo(room: RoomState): number {
  return room.sentRead === null ? room.readSeq : Math.max(room.readSeq, room.sentRead);
}

/** Unread messages: derived, so it cannot get stuck. */
export function countUnread(room: RoomState): number {
  return room.role === null ? 0 : Math.max(0, room.seq - readUpTo(room));
}

export function countUnreadMentions(room: RoomState): number {
  return countUnread(room) === 0 ? 0 : room.mentions;
}

/** What the timeline shows: the place visited, else the latest messages. */
export function shownSegment(room: RoomState): Segment {
  return room.detachedRange ?? room.live;
}

export function findMessage(room: RoomState, seq: number): Message | null {
  for (const segment of [room.live, room.detachedRange]) {
    const first = segment?.messages[0];
    if (!segment || !first) continue;
    const guess = segment.messages[seq - first.seq];
    if (guess?.seq === seq) return guess;
    const found = segment.messages.find((message) => message.seq === seq);
    if (found) return found;
  }
  return room.outOfOrder.get(seq) ?? null;
}

export function displayName(state: State, name: string): string {
  return state.people.get(name)?.display_name ?? name;
}
