/** State × reply → state: the welcome, the user's rooms, pages of history, syncs. All pure. */

import type { Joined, Mine, Page, SyncReply, Welcome } from '../wire/protocol';
import { changeRoom, withMyRoom, reachThrough, withPeople, withRoom, withoutRoom } from './reducer';
import { withMarker } from './unread';
import { addPage, withoutMessages, leaveDetachedRange, withKnownState, appendWaiting, withoutPage, type Where } from './segments';
import { toMessage, toRoomState, type CatchUp, type RoomState, type State } from './state';
import { isUnstarted } from './thread';

/**
 * The connection is established. Everything from another epoch is discarded. What the rooms are missing
 * follows as events, ended by `synced` for each room.
 */
export function onWelcome(state: State, welcome: Welcome): State {
  const known = state.epoch === null || state.epoch === welcome.epoch ? state.rooms : new Map();
  const myRev = welcome.me.rev ?? 0;
  let next: State = {
    ...state,
    epoch: welcome.epoch,
    me: welcome.me,
    server: welcome.server,
    myRev,
    myHead: myRev,
    rooms: openWithoutMembership(known, state.open, welcome.gone),
    presence: new Map(Object.entries(welcome.presence)),
    typing: new Map(),
  };
  next = withPeople(next, [welcome.me]);
  for (const wire of welcome.rooms) {
    const before = known.get(wire.room);
    // The server's heads and the user's side of the room replace whatever was received before.
    const based = before ? withHeads(before, wire.seq ?? 0, wire.rev ?? 0) : toRoomState(wire, myRev);
    next = withMyRoom(withRoom(next, based), wire, myRev);
    next = changeRoom(next, wire.room, (room) => ({ ...room, catchUp: catchUpAfterWelcome(room) }));
  }
  return next;
}

/** Keeps open rooms that the user is not a member of. */
function openWithoutMembership(
  rooms: ReadonlyMap<string, RoomState>,
  open: State['open'],
  gone: readonly string[],
): Map<string, RoomState> {
  const remaining = new Map<string, RoomState>();
  for (const name of open.keys()) {
    const room = rooms.get(name);
    if (room?.role !== null || (gone.includes(name) && !isUnstarted(room))) continue;
    remaining.set(name, { ...room, catchUp: isUnstarted(room) ? 'none' : 'later' });
  }
  return remaining;
}

function withHeads(room: RoomState, seq: number, rev: number): RoomState {
  return { ...room, seq, rev, titleRev: 0, mrev: 0, myRev: 0, memberList: null };
}

function catchUpAfterWelcome(room: RoomState): CatchUp {
  return room.have === room.rev ? 'none' : 'hello';
}

/** Everything after the welcome has arrived. Rooms it left out are synced when they are opened. */
export function onWelcomeOver(state: State): State {
  return postpone(state, (catchUp) => catchUp === 'hello');
}

/** The connection is lost, and so are all replies under way. */
export function onDisconnected(state: State): State {
  return { ...postpone(state, (catchUp) => catchUp !== 'later'), typing: new Map() };
}

function postpone(state: State, which: (catchUp: CatchUp) => boolean): State {
  const rooms = new Map(state.rooms);
  for (const room of state.rooms.values()) {
    if (which(room.catchUp)) rooms.set(room.room, { ...room, catchUp: 'later' });
  }
  return { ...state, rooms };
}

/** All rooms of the user, after a gap in the user's rev. */
export function onMine(state: State, reply: Mine): State {
  const myRev = reply.me.rev ?? 0;
  const listed = new Set(reply.rooms.map((room) => room.room));
  let next = withPeople({ ...state, me: reply.me }, [reply.me]);
  for (const room of state.rooms.values()) {
    if (!listed.has(room.room) && room.role !== null && room.myRev <= myRev) {
      next = withoutRoom(next, room.room);
    }
  }
  for (const wire of reply.rooms) next = withMyRoom(next, wire, myRev);
  return { ...next, myRev: Math.max(next.myRev, myRev), myHead: Math.max(next.myHead, myRev) };
}

/** A sync has been sent. */
export function onSyncSent(state: State, name: string): State {
  return changeRoom(state, name, (room) => ({ ...room, catchUp: 'sync' }));
}

/** A sync is complete. If there is `more`, that shows up as another gap. */
export function onSynced(state: State, name: string, reply: SyncReply): State {
  return changeRoom(state, name, (room) => {
    if (room.catchUp !== 'sync') return room;
    const done: RoomState = { ...room, catchUp: 'none' };
    // A reply that brings nothing new means that the head was too high: the server has since lost its
    // last second. Without this check we would sync forever. After a reset we sync once more, because a
    // live event may have arrived before the page and been discarded with the rest.
    const isStuck = !reply.reset && reply.through <= (room.have ?? -1);
    const head = isStuck ? Math.max(reply.through, ...done.ahead) : done.rev;
    // What is still missing has higher revs, whether or not we know of them.
    const rev = reply.more ? Math.max(head, reply.through + 1) : head;
    return reachThrough({ ...done, rev }, reply.through);
  });
}

/** The server refused a sync, or it was abandoned. */
export function onSyncFailed(state: State, name: string): State {
  return changeRoom(state, name, (room) =>
    room.catchUp === 'sync' ? { ...room, catchUp: 'later' } : room,
  );
}

/** A room was joined, created or found, with its latest messages as of one moment. */
export function onJoined(state: State, reply: Joined, myRev: number): State {
  const before = state.rooms.get(reply.room.room);
  const rev = reply.room.rev ?? 0;
  let next = withPeople(state, reply.people);
  next = withMyRoom(next, reply.room, Math.max(myRev, before?.myRev ?? 0));
  return changeRoom(next, reply.room.room, (room) => {
    if (room.have !== null && room.have >= rev && room.live.messages.length > 0) return room;
    return restarted(room, reply, rev);
  });
}

/** Rebuilds the room from a page as of `rev`, keeping live events that arrived before the reply. */
function restarted(room: RoomState, reply: Joined, rev: number): RoomState {
  const outOfOrder = new Map(room.outOfOrder);
  for (const message of room.live.messages) outOfOrder.set(message.seq, message);
  for (const wire of reply.messages) {
    outOfOrder.set(wire.seq, withKnownState({ ...room, outOfOrder }, toMessage(wire)));
  }
  const { ahead, earlyMarks } = room;
  const fresh: RoomState = { ...withoutMessages(room), outOfOrder, earlyMarks, ahead, catchUp: 'none' };
  const reached = reachThrough(fresh, rev);
  return reached.live.messages.length > 0 ? reached : appendWaiting(reached);
}

/** A page of history has been requested. */
export function onPageSent(state: State, name: string): State {
  return changeRoom(state, name, (room) => ({ ...room, loading: room.loading + 1 }));
}

export function onPageFailed(state: State, name: string): State {
  return changeRoom(state, name, withoutPage);
}

export function onPage(state: State, name: string, page: Page, where: Where): State {
  const messages = page.messages.map(toMessage);
  return changeRoom(withPeople(state, page.people), name, (room) =>
    addPage(room, messages, where, !page.more_before),
  );
}

/** The server's answer to a read marker. */
export function onMarker(
  state: State,
  name: string,
  reply: { read_seq: number; mentions: number },
): State {
  const me = state.me?.name ?? null;
  return changeRoom(state, name, (room) =>
    withMarker(room, { readSeq: reply.read_seq, mentions: reply.mentions, seq: room.seq }, me),
  );
}

/** Sets the rooms on screen. Only they keep many messages. */
export function onOpened(state: State, names: readonly string[]): State {
  const open = new Map(names.map((name) => [name, state.open.get(name) ?? true]));
  const left = [...state.open.keys()].filter((name) => !open.has(name));
  if (left.length === 0 && open.size === state.open.size) return state;
  return left.reduce(onRoomClosed, { ...state, open });
}

function onRoomClosed(state: State, name: string): State {
  const room = state.rooms.get(name);
  // Without membership and without watching it, the server sends nothing about the thread.
  if (room && room.role === null && room.parent !== null) return withoutRoom(state, name);
  return changeRoom(state, name, (known) => ({ ...leaveDetachedRange(known) }));
}

/** Sets whether the timeline of an open room follows new messages. */
export function onFollowing(state: State, name: string, following: boolean): State {
  if (!state.open.has(name) || state.open.get(name) === following) return state;
  return { ...state, open: new Map(state.open).set(name, following) };
}
