/**
 * The wire protocol, version 1, as documented in `docs/protocol.md` and defined in `hubbub/model/`.
 *
 * The server leaves optional fields out when they have their default values. Times are milliseconds
 * since the epoch by the server's clock.
 */

import type { Refusal } from './errors';

export const SUBPROTOCOL = 'hubbub.v1';

/** Close codes with a special meaning; after any other one the client reconnects. */
export const CLOSE = {
  /** The user is not allowed in (signed out, locked out): do not reconnect. */
  policy: 1008,
  /** The server is restarting: reconnect after a random delay. */
  restart: 1012,
  /** This client was reading too slowly: reconnect and sync. */
  tooSlow: 4000,
  /** The session has ended: sign in again. */
  signIn: 4001,
} as const;

export type RoomKind = 'public' | 'private' | 'direct';
export type RoomRole = 'owner' | 'moderator' | 'member';
export type ServerRole = 'owner' | 'admin' | 'member' | 'guest';
export type Registration = 'open' | 'invite' | 'closed';
export type Notify = 'all' | 'mentions' | 'none';
export type Presence = 'online' | 'away' | 'offline';
export type MessageKind = 'text' | 'me';

// --- values -------------------------------------------------------------------------------------

export interface Me {
  name: string;
  display_name: string;
  role: ServerRole;
  rev?: number;
}

export interface Person {
  name: string;
  display_name: string;
  role?: ServerRole;
  disabled?: boolean;
}

export interface Room {
  room: string;
  kind: RoomKind;
  title: string;
  topic?: string;
  seq?: number;
  rev?: number;
  mrev?: number;
  members?: number;
  created_at?: number;
  archived?: boolean;
  /** For a thread: its room, and the message it belongs to. */
  parent?: string | null;
  parent_seq?: number | null;
}

export interface MyRoom extends Room {
  role?: RoomRole | null;
  read_seq?: number;
  mentions?: number;
  notify?: Notify;
  hidden?: boolean;
  people?: Person[];
  /** Who added the user, until the user decides to stay. */
  added_by?: string | null;
}

export interface Membership {
  name: string;
  display_name: string;
  role?: RoomRole;
  presence?: Presence;
}

export interface ServerInfo {
  name: string;
  version: string;
  registration: Registration;
  guests: boolean;
  needs_owner: boolean;
  limits: { text: number; frame_bytes: number; page: number };
}

export interface DeviceSession {
  session: string;
  label: string;
  created_at: number;
  seen_at: number;
  current?: boolean;
}

export interface ServerInvite {
  invite: string;
  url: string;
  by: string | null;
  created_at: number;
  expires_at: number;
  uses: number;
}

/** The first names; if there are fewer than `count`, some were left out. */
export type Reaction = readonly [emoji: string, count: number, names: readonly string[]];

/** Reactions, pin and replies: everything added to a message without changing its text. */
export interface Marks {
  reactions?: Reaction[];
  pinned?: boolean;
  pinned_by?: string | null;
  replies?: number;
  replied_at?: number | null;
  /** The people who replied last in its thread. */
  repliers?: string[];
}

/** Where a forwarded message was originally posted. */
export interface Origin {
  room: string;
  seq: number;
  by: string;
  at: number;
}

/** The complete present state of a message. A deleted one is a tombstone without text. */
export interface Message extends Marks {
  room: string;
  seq: number;
  rev: number;
  by: string;
  at: number;
  text?: string;
  kind?: MessageKind;
  nonce?: string | null;
  reply_to?: number | null;
  edited_at?: number | null;
  deleted?: boolean;
  /** Handles, and `@room` and `@here` including the sign. */
  mentions?: string[];
  origin?: Origin | null;
  marks_rev?: number;
}

/** One emoji below a message, with at most the first 200 names. */
export interface Reacted {
  emoji: string;
  count: number;
  names: string[];
  mine: boolean;
}

export interface Bookmark {
  room: string;
  seq: number;
  at: number;
  note?: string;
  /** Missing if the user may no longer read it. */
  message?: Message | null;
}

export interface Draft {
  room: string;
  text: string;
  at: number;
  reply_to?: number | null;
}

export interface FollowedThread {
  thread: MyRoom;
  root: Message;
  last: Message | null;
}

// --- events -------------------------------------------------------------------------------------

export type MessageEvent = Message & { on: 'message' };

/** The complete present state of a message's marks; `last` is the latest change. */
export type MarksEvent = Marks & {
  on: 'marks';
  room: string;
  seq: number;
  rev: number;
  last?: {
    by: string;
    did: 'react' | 'unreact' | 'pin' | 'unpin' | 'reply' | 'delete_reply';
    emoji?: string | null;
  } | null;
};

export type ServerEvent =
  | MessageEvent
  | MarksEvent
  | { on: 'reset'; room: string }
  | { on: 'synced'; room: string; through: number; more?: boolean }
  | { on: 'typing'; room: string; user: string }
  | { on: 'room'; room: string; rev: number; title: string; topic?: string; archived?: boolean }
  | {
      on: 'member';
      room: string;
      mrev: number;
      members: number;
      user?: string | null;
      display_name?: string | null;
      role?: RoomRole | null;
    }
  | { on: 'removed'; room: string; rev: number; reason: 'left' | 'kicked' | 'deleted' }
  | { on: 'read'; room: string; read_seq: number; mentions?: number; rev?: number | null }
  | {
      on: 'presence';
      user?: string | null;
      state?: Presence | null;
      room?: string | null;
      online?: number | null;
    }
  | { on: 'behind'; rooms: Record<string, { seq: number; rev: number }>; rev?: number }
  | { on: 'notice'; text: string; retry_after?: number | null }
  | { on: 'user'; user: string; display_name: string }
  | { on: 'me'; rev: number; me?: Me | null; room?: MyRoom | null }
  | {
      on: 'bookmark';
      rev: number;
      room: string;
      seq: number;
      gone?: boolean;
      note?: string;
      at?: number;
    }
  | { on: 'draft'; rev: number; room: string; text?: string; at?: number; reply_to?: number | null }
  | { on: 'block'; rev: number; user: string; gone?: boolean }
  | { on: 'server'; server: ServerInfo };

// --- commands and their replies -----------------------------------------------------------------

export interface Welcome {
  epoch: string;
  me: Me;
  server: ServerInfo;
  rooms: MyRoom[];
  gone: string[];
  presence: Record<string, Presence>;
}

export interface Mine {
  me: Me;
  rooms: MyRoom[];
}

export interface Page {
  messages: Message[];
  people: Person[];
  more_before: boolean;
  more_after: boolean;
}

export interface Joined {
  room: MyRoom;
  messages: Message[];
  people: Person[];
}

export interface SyncReply {
  through: number;
  more: boolean;
  reset: boolean;
}

type Nothing = Record<string, never>;

/** Every command of the socket: its fields, and the content of `ok`. */
export interface Commands {
  hello: [{ epoch: string | null; rooms: Record<string, number> }, Welcome];
  post: [
    {
      room: string;
      text: string;
      nonce: string;
      reply_to?: number;
      kind?: MessageKind;
      also_in_room?: boolean;
    },
    { seq: number; rev: number; at: number },
  ];
  edit: [{ room: string; seq: number; text: string }, { rev: number }];
  delete: [{ room: string; seq: number }, { rev: number }];
  forward: [
    { room: string; seq: number; to: string; text?: string; nonce: string },
    { seq: number; rev: number; at: number },
  ];
  react: [{ room: string; seq: number; emoji: string; on?: boolean }, { rev: number }];
  reactions: [{ room: string; seq: number }, { reactions: Reacted[]; people: Person[] }];
  pin: [{ room: string; seq: number; on?: boolean }, { rev: number }];
  pins: [{ room: string }, { messages: Message[]; people: Person[] }];
  bookmark: [{ room: string; seq: number; note?: string; on?: boolean }, Nothing];
  bookmarks: [
    { after?: string; limit?: number },
    { bookmarks: Bookmark[]; people: Person[]; cursor: string | null },
  ];
  draft: [{ room: string; text?: string; reply_to?: number | null }, { rev: number }];
  drafts: [Nothing, { drafts: Draft[] }];
  mentions: [
    { unread?: boolean; after?: string; limit?: number },
    { mentions: { message: Message; unread: boolean }[]; people: Person[]; cursor: string | null },
  ];
  threads: [
    { unread?: boolean; after?: string; limit?: number },
    { threads: FollowedThread[]; people: Person[]; cursor: string | null },
  ];
  history: [
    { room: string; before?: number; after?: number; around?: number; limit?: number },
    Page,
  ];
  sync: [{ room: string; after: number }, SyncReply];
  read: [{ room: string; seq: number; back?: boolean }, { read_seq: number; mentions: number }];
  join: [{ room: string }, Joined];
  leave: [{ room: string }, Nothing];
  watch: [{ room: string }, Joined];
  unwatch: [{ room: string }, Nothing];
  create_room: [
    { title: string; room?: string; kind?: 'public' | 'private'; topic?: string; members?: string[] },
    Joined,
  ];
  direct: [{ users: string[] }, Joined];
  invite: [{ room: string; user: string }, { mrev: number }];
  kick: [{ room: string; user: string }, { mrev: number }];
  set_role: [{ room?: string; user: string; role: RoomRole | 'admin' }, { mrev: number }];
  update_room: [
    { room: string; title?: string; topic?: string; archived?: boolean },
    { rev: number },
  ];
  delete_room: [{ room: string }, Nothing];
  prefs: [{ room: string; notify?: Notify; hidden?: boolean; stay?: boolean }, Nothing];
  members: [
    { room: string; after?: string; limit?: number },
    { members: Membership[]; mrev: number; more: boolean },
  ];
  rooms: [{ q?: string; after?: string; limit?: number }, { rooms: MyRoom[]; cursor: string | null }];
  users: [
    { names?: string[]; q?: string; after?: string; limit?: number },
    { users: Person[]; more: boolean },
  ];
  block: [{ user: string; on?: boolean }, { rev: number }];
  blocks: [Nothing, { people: Person[] }];
  me: [Nothing, Mine];
  update_me: [{ display_name: string }, Nothing];
  sessions: [Nothing, { sessions: DeviceSession[] }];
  end_session: [{ session: string }, Nothing];
  create_invite: [{ days?: number; uses?: number }, { invite: ServerInvite }];
  invites: [Nothing, { invites: ServerInvite[] }];
  end_invite: [{ invite: string }, Nothing];
  disable_user: [{ user: string; disabled?: boolean }, Nothing];
  update_server: [{ name?: string; registration?: Registration; guests?: boolean }, Nothing];
  about: [Nothing, ServerInfo];
}

/** Commands that get no reply. */
export interface OneWayCommands {
  typing: { room: string };
  active: { active: boolean };
}

export type CommandName = keyof Commands;
export type Fields<C extends CommandName> = Commands[C][0];
export type Ok<C extends CommandName> = Commands[C][1];

export type ServerFrame =
  | ServerEvent
  | { re: number; ok: unknown }
  | { re: number | null; error: Refusal };
