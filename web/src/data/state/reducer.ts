/**
 * State × event → state, by the rule that every client of Hubbub follows:
 *
 * Keep `have` per room, contiguous, and a rev per object. An object applies if its own rev is newer.
 * `have` moves only on `have + 1`, or to a reply's `through`. A gap requires a sync, and at most one
 * sync per room is under way (`sync.ts` sends it). Any order and any repetition of live events and sync
 * replies ends in the same state.
 */

import type { MyRoom, Person, ServerEvent } from '../wire/protocol';
import { countMessage, withMarker, toMarker } from './unread';
import { withoutMessages, placeMarks, placeMessage, appendWaiting, pendingEarlyMarks, trim } from './segments';
import {
  INITIAL,
  toMarks,
  toMessage,
  toRoomState,
  type MemberList,
  type Message,
  type RoomState,
  type State,
} from './state';

const TYPING_MS = 6_000;

type On<W extends ServerEvent['on']> = Extract<ServerEvent, { on: W }>;

/** `now` is the clock of this device, for what only this device measures. */
export function onEvent(state: State, event: ServerEvent, now: number): State {
  switch (event.on) {
    case 'message':
      return onMessage(state, toMessage(event));
    case 'marks':
      return onMarks(state, event);
    case 'room':
      return onRoomChanged(state, event);
    case 'reset':
      return changeRoom(state, event.room, (room) =>
        room.catchUp === 'later' ? room : { ...withoutMessages(room), rev: room.rev },
      );
    case 'synced':
      return onSynced(state, event);
    case 'typing':
      return onTyping(state, event, now);
    case 'member':
      return onMember(state, event);
    case 'removed':
      return noteMyRev(onRemoved(state, event), event.rev);
    case 'read':
      return onRead(state, event);
    case 'presence':
      return onPresence(state, event);
    case 'behind':
      return onBehind(state, event);
    case 'user':
      return onUser(state, event);
    case 'me':
      return onMe(state, event);
    case 'bookmark':
    case 'draft':
    case 'block':
      return noteMyRev(state, event.rev);
    case 'server':
      return { ...state, server: event.server };
    default:
      // `notice` changes nothing in the state. Unknown events of a newer server are ignored.
      return state;
  }
}

/** Changes one room; does nothing if the room is unknown. */
export function changeRoom(
  state: State,
  name: string,
  how: (room: RoomState) => RoomState,
): State {
  const before = state.rooms.get(name);
  if (!before) return state;
  const after = trim(how(before), state.open.get(name));
  return after === before ? state : withRoom(state, after);
}

export function withRoom(state: State, room: RoomState): State {
  return { ...state, rooms: new Map(state.rooms).set(room.room, room) };
}

/** Removes a room and its threads. */
export function withoutRoom(state: State, name: string): State {
  const rooms = new Map(state.rooms);
  const typing = new Map(state.typing);
  for (const { room, parent } of state.rooms.values()) {
    if (room !== name && parent !== name) continue;
    rooms.delete(room);
    typing.delete(room);
  }
  return rooms.size < state.rooms.size ? { ...state, rooms, typing } : state;
}

export function withPeople(state: State, people: readonly Person[]): State {
  const news = people.filter((person) => {
    const known = state.people.get(person.name);
    return known?.display_name !== person.display_name || known.role !== person.role;
  });
  if (news.length === 0) return state;
  const all = new Map(state.people);
  for (const person of news) all.set(person.name, person);
  return { ...state, people: all };
}

// --- the room's own changes -----------------------------------------------------------------------

function onMessage(state: State, message: Message): State {
  const me = state.me?.name ?? null;
  const next = changeRoom(state, message.room, (room) => withMessage(room, message, me));
  return withoutTyping(next, message.room, message.by);
}

function withMessage(room: RoomState, message: Message, me: string | null): RoomState {
  const counted = raiseHeads(countMessage(room, message, me), message.seq, message.rev);
  // The sync of this room will bring the message with everything before it.
  if (counted.catchUp === 'later') return counted;
  return applyRev(placeMessage(counted, message), message.rev);
}

function onMarks(state: State, event: On<'marks'>): State {
  return changeRoom(state, event.room, (room) => {
    const known = raiseHeads(room, 0, event.rev);
    const next = known.catchUp === 'later' ? null : placeMarks(known, event.seq, toMarks(event, event.rev));
    return next ? applyRev(next, event.rev) : known;
  });
}

function onRoomChanged(state: State, event: On<'room'>): State {
  return changeRoom(state, event.room, (room) => {
    const known = raiseHeads(room, 0, event.rev);
    const titled = event.rev > room.titleRev ? { ...known, ...toTitle(event) } : known;
    return room.catchUp === 'later' ? titled : applyRev(titled, event.rev);
  });
}

function toTitle(event: { rev: number; title: string; topic?: string; archived?: boolean }) {
  return {
    title: event.title,
    topic: event.topic ?? '',
    archived: event.archived ?? false,
    titleRev: event.rev,
  };
}

function raiseHeads(room: RoomState, seq: number, rev: number): RoomState {
  if (seq <= room.seq && rev <= room.rev) return room;
  return { ...room, seq: Math.max(room.seq, seq), rev: Math.max(room.rev, rev) };
}

/** The change with this rev has been applied. */
function applyRev(room: RoomState, rev: number): RoomState {
  if (room.have !== null && rev <= room.have) return room;
  if (room.have !== null && rev === room.have + 1) return advanceHave(room, rev);
  if (room.ahead.has(rev)) return room;
  return { ...room, ahead: new Set(room.ahead).add(rev) };
}

/** Moves `have` to `rev`, and further over revs that have already been applied. */
function advanceHave(room: RoomState, rev: number): RoomState {
  if (room.ahead.size === 0) return dropEarlyMarks({ ...room, have: rev });
  let have = rev;
  while (room.ahead.has(have + 1)) have += 1;
  return dropEarlyMarks({ ...room, have, ahead: new Set([...room.ahead].filter((seen) => seen > have)) });
}

function dropEarlyMarks(room: RoomState): RoomState {
  return room.earlyMarks.size === 0 ? room : { ...room, earlyMarks: pendingEarlyMarks(room) };
}

/** Everything up to `through` has been received. */
export function reachThrough(room: RoomState, through: number): RoomState {
  const reached = advanceHave(room, Math.max(through, room.have ?? 0));
  const next = { ...reached, rev: Math.max(reached.rev, through) };
  return (next.have ?? 0) >= next.rev ? appendWaiting(next) : next;
}

function onSynced(state: State, event: On<'synced'>): State {
  return changeRoom(state, event.room, (room) => {
    if (room.catchUp !== 'hello') return room;
    return reachThrough({ ...room, catchUp: 'none' }, event.through);
  });
}

function onBehind(state: State, event: On<'behind'>): State {
  // Even if only the next rev of mine is missing, only `me` says what it changed.
  let next = { ...state, myHead: Math.max(state.myHead, event.rev ?? 0) };
  for (const [name, head] of Object.entries(event.rooms)) {
    next = changeRoom(next, name, (room) => raiseHeads(room, head.seq, head.rev));
  }
  return next;
}

// --- people -----------------------------------------------------------------------------------------

function onTyping(state: State, event: On<'typing'>, now: number): State {
  if (event.user === state.me?.name) return state;
  const here = new Map(state.typing.get(event.room)).set(event.user, now + TYPING_MS);
  return { ...state, typing: new Map(state.typing).set(event.room, here) };
}

function withoutTyping(state: State, room: string, user: string): State {
  const here = state.typing.get(room);
  if (!here?.has(user)) return state;
  const rest = new Map(here);
  rest.delete(user);
  return { ...state, typing: new Map(state.typing).set(room, rest) };
}

function onMember(state: State, event: On<'member'>): State {
  const next = changeRoom(state, event.room, (room) => {
    if (event.mrev <= room.mrev) return room;
    const memberList = room.memberList && memberListAfter(room.memberList, event);
    return { ...room, mrev: event.mrev, members: event.members, memberList };
  });
  if (!event.user || !event.display_name) return next;
  const known = next.people.get(event.user);
  return withPeople(next, [{ ...known, name: event.user, display_name: event.display_name }]);
}

/** The list after this change, or null if an event was missed; then the view fetches the list again. */
function memberListAfter(list: MemberList, event: On<'member'>): MemberList | null {
  if (!event.user || event.mrev !== list.mrev + 1) return null;
  const roles = new Map(list.roles);
  if (event.role) roles.set(event.user, event.role);
  else roles.delete(event.user);
  return { ...list, roles, mrev: event.mrev };
}

function onPresence(state: State, event: On<'presence'>): State {
  if (event.room) {
    return changeRoom(state, event.room, (room) => ({ ...room, online: event.online ?? null }));
  }
  if (!event.user) return state;
  const presence = new Map(state.presence);
  if (event.state && event.state !== 'offline') presence.set(event.user, event.state);
  else presence.delete(event.user);
  return { ...state, presence };
}

function onUser(state: State, event: On<'user'>): State {
  const known = state.people.get(event.user);
  const next = withPeople(state, [{ ...known, name: event.user, display_name: event.display_name }]);
  if (next.me?.name !== event.user) return next;
  return { ...next, me: { ...next.me, display_name: event.display_name } };
}

// --- what is mine -----------------------------------------------------------------------------------

/** An event with this rev of mine has been received. */
function noteMyRev(state: State, rev: number): State {
  const myHead = Math.max(state.myHead, rev);
  return { ...state, myHead, myRev: rev === state.myRev + 1 ? rev : state.myRev };
}

function onRemoved(state: State, { room: name, reason }: On<'removed'>): State {
  const isThread = state.rooms.get(name)?.parent != null;
  // A thread that is no longer followed can still be read.
  if (!isThread || reason !== 'left' || !state.open.has(name)) return withoutRoom(state, name);
  return changeRoom(state, name, (room) => ({ ...room, role: null, mentions: 0, catchUp: 'later' }));
}

function onRead(state: State, event: On<'read'>): State {
  const rev = event.rev ?? null;
  const next = changeRoom(state, event.room, (room) => {
    if (rev !== null && rev < room.myRev) return room;
    const marker = { readSeq: event.read_seq, mentions: event.mentions ?? 0, seq: room.seq };
    return { ...withMarker(room, marker, state.me?.name ?? null), myRev: rev ?? room.myRev };
  });
  return rev === null ? next : noteMyRev(next, rev);
}

function onMe(state: State, event: On<'me'>): State {
  if (event.rev <= state.myRev) return state;
  let next = noteMyRev(state, event.rev);
  if (event.me) next = withPeople({ ...next, me: event.me }, [event.me]);
  return event.room ? withMyRoom(next, event.room, event.rev) : next;
}

/** The user's side of a room, complete as of the user's rev. */
export function withMyRoom(state: State, wire: MyRoom, myRev: number): State {
  const next = withPeople(state, wire.people ?? []);
  const known = next.rooms.get(wire.room);
  if (!known) return withRoom(next, toRoomState(wire, myRev));
  if (myRev < known.myRev) return next;
  return withRoom(next, mergeMyRoom(known, wire, myRev, state.me?.name ?? null));
}

function mergeMyRoom(room: RoomState, wire: MyRoom, myRev: number, me: string | null): RoomState {
  const updated = raiseHeads(withMarker(room, toMarker(wire), me), wire.seq ?? 0, wire.rev ?? 0);
  const titled = (wire.rev ?? 0) >= room.titleRev ? toTitle({ ...wire, rev: wire.rev ?? 0 }) : {};
  const counted =
    (wire.mrev ?? 0) >= room.mrev ? { members: wire.members ?? 0, mrev: wire.mrev ?? 0 } : {};
  return {
    ...updated,
    ...titled,
    ...counted,
    role: wire.role ?? null,
    notify: wire.notify ?? 'all',
    hidden: wire.hidden ?? false,
    people: (wire.people ?? []).map((person) => person.name),
    addedBy: wire.added_by ?? null,
    myRev,
  };
}

export function signedOut(state: State): State {
  return { ...INITIAL, server: state.server };
}
