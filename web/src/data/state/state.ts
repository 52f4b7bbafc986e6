/**
 * Everything the client knows, as one immutable value. Views read it; only the reducers create new
 * ones.
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

/** Reactions, pin and replies of a message, with a rev of their own. */
export interface Marks {
  readonly rev: number;
  readonly reactions: readonly Reaction[];
  readonly pinned: boolean;
  readonly pinnedBy: string | null;
  readonly replies: number;
  readonly repliedAt: number | null;
  readonly repliers: readonly string[];
}

/** Names a message. */
export interface MessageRef {
  readonly room: string;
  readonly seq: number;
}

/** A message with all fields present. */
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

/** A message already includes all marks from before its own last change. */
export function withMarks(message: Message, marks: Marks | undefined): Message {
  if (!marks || marks.rev <= Math.max(message.rev, message.marks.rev)) return message;
  return { ...message, marks };
}

/** Merges two states of one message. Returns the known object if it is already the newest. */
export function newest(known: Message | undefined, message: Message): Message {
  if (!known) return message;
  return known.rev < message.rev
    ? withMarks(message, known.marks)
    : withMarks(known, message.marks);
}

/** Messages of a room without gaps, by ascending seq. */
export interface Segment {
  readonly messages: readonly Message[];
  /** Whether the room's first message is included. */
  readonly start: boolean;
}

/** The members of a room by name, as far as they were fetched. */
export interface MemberList {
  readonly roles: ReadonlyMap<string, RoomRole>;
  readonly mrev: number;
  /** There are more members; the next page begins after the last name. */
  readonly more: boolean;
}

export type CatchUp =
  /** Nothing is missing: live events continue what we have. */
  | 'none'
  /** Changes are on their way, with the welcome or from a `sync`. */
  | 'hello'
  | 'sync'
  /** Changes are missing, and are not fetched until the room is opened. */
  | 'later';

export interface RoomState {
  readonly room: string;
  /** For a thread: its room, and the message it belongs to. */
  readonly parent: string | null;
  readonly parentSeq: number | null;
  readonly kind: RoomKind;
  readonly title: string;
  readonly topic: string;
  readonly createdAt: number;
  readonly archived: boolean;
  /** The rev as of which title, topic and archive flag are known. */
  readonly titleRev: number;
  readonly members: number;
  readonly mrev: number;
  readonly role: RoomRole | null;
  readonly notify: Notify;
  readonly hidden: boolean;
  /** The other people in a direct room. */
  readonly people: readonly string[];
  /** Who added the user, until the user decides to stay. */
  readonly addedBy: string | null;

  /** The newest seq and rev known, whether or not the messages are here. */
  readonly seq: number;
  readonly rev: number;
  /** Every change up to here has been applied; null: no messages are kept. */
  readonly have: number | null;
  /** Revs above `have` that have already been applied. */
  readonly ahead: ReadonlySet<number>;
  readonly catchUp: CatchUp;

  /** The latest messages. */
  readonly live: Segment;
  /** Older messages that the user is looking at, apart from `live`. */
  readonly detachedRange: Segment | null;
  /** Messages that cannot be appended yet because of a gap before them. */
  readonly outOfOrder: ReadonlyMap<number, Message>;
  /** Marks of messages that may still arrive in an older state: seq → the newest marks. */
  readonly earlyMarks: ReadonlyMap<number, Marks>;
  /** Pages of history under way. Until they arrive, changes to any message are kept. */
  readonly loading: number;

  readonly readSeq: number;
  /** Unread mentions of the user. */
  readonly mentions: number;
  /** Posts up to here, and those in `counted`, are included in `readSeq` and `mentions`. */
  readonly countedSeq: number;
  readonly counted: ReadonlySet<number>;
  /** The user's own posts, which become read as soon as everything before them is read. */
  readonly ownSeqs: ReadonlySet<number>;
  /** A marker that was sent and not answered yet. */
  readonly sentRead: number | null;
  /** The user's rev as of which their side of the room (marker, notify, role) is known completely. */
  readonly myRev: number;

  readonly memberList: MemberList | null;
  /** The number of people online, in rooms too large for individual presence. */
  readonly online: number | null;
}

export interface State {
  readonly epoch: string | null;
  readonly me: Me | null;
  readonly server: ServerInfo | null;
  /** The user's rev, contiguous, and the newest one known. If they differ, `me` has to be fetched. */
  readonly myRev: number;
  readonly myHead: number;
  readonly rooms: ReadonlyMap<string, RoomState>;
  readonly people: ReadonlyMap<string, Person>;
  readonly presence: ReadonlyMap<string, Presence>;
  /** Room → who is typing → until when (milliseconds, clock of this device). */
  readonly typing: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /**
   * The rooms on screen, at most a room and one of its threads. They keep more messages and are synced
   * first. The value says whether the timeline is at its end and follows new messages.
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

/** A room that was unknown so far. */
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

/** How far the user has read, including a marker under way. */
export function readUpTo(room: RoomState): number {
  return room.sentRead === null ? room.readSeq : Math.max(room.readSeq, room.sentRead);
}

/** The number of unread messages. It is derived, so it cannot get stuck. */
export function countUnread(room: RoomState): number {
  return room.role === null ? 0 : Math.max(0, room.seq - readUpTo(room));
}

export function countUnreadMentions(room: RoomState): number {
  return countUnread(room) === 0 ? 0 : room.mentions;
}

/** What the timeline shows: the detached range if there is one, otherwise the latest messages. */
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
