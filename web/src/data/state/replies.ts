/** State × reply → state: the welcome, my rooms, pages of history, syncs. All pure. */

import type { Joined, Mine, Page, SyncReply, Welcome } from '../wire/protocol';
import { changeRoom, withMyRoom, reachThrough, withPeople, withRoom, withoutRoom } from './reducer';
import { withMarker } from './unread';
import { addPage, emptied, leaveDetachedRange, withKnownState, settle, withoutPage, type Where } from './segments';
import { toMessage, toRoomState, type CatchUp, type RoomState, type State } from './state';
import { isUnstarted } from './thread';

/**
 * The connection stands. Everything that was kept of another epoch is no longer true; what is
 * owed of the rooms follows as events, each room ended by `synced`.
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
    // Heads are the server's, whatever was heard before; so is my side of the room.
    const based = before ? rebased(before, wire.seq ?? 0, wire.rev ?? 0) : toRoomState(wire, myRev);
    next = withMyRoom(withRoom(next, based), wire, myRev);
    next = changeRoom(next, wire.room, (room) => ({ ...room, catchUp: catchUpAfterWelcome(room) }));
  }
  return next;
}

/** Rooms on screen that are not mine, only looked into, stay on screen. */
function openWithoutMembership(
  rooms: ReadonlyMap<string, RoomState>,
  open: State['open'],
  gone: readonly string[],
): Map<string, RoomState> {
  const kept = new Map<string, RoomState>();
  for (const name of open.keys()) {
    const room = rooms.get(name);
    if (room?.role !== null || (gone.includes(name) && !isUnstarted(room))) continue;
    kept.set(name, { ...room, catchUp: isUnstarted(room) ? 'none' : 'later' });
  }
  return kept;
}

function rebased(room: RoomState, seq: number, rev: number): RoomState {
  return { ...room, seq, rev, titleRev: 0, mrev: 0, myRev: 0, memberList: null };
}

function catchUpAfterWelcome(room: RoomState): CatchUp {
  return room.have === room.rev ? 'none' : 'hello';
}

/** What a welcome brings has all come: rooms it left out are synced when they are opened. */
export function onWelcomeOver(state: State): State {
  return postpone(state, (catchUp) => catchUp === 'hello');
}

/** The connection is gone, and so is whatever was on its way. */
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

/** All my rooms, after a gap in my own rev. */
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

/** A sync has been asked for. */
export function onSyncSent(state: State, name: string): State {
  return changeRoom(state, name, (room) => ({ ...room, catchUp: 'sync' }));
}

/** Everything that a sync brings has come; what it leaves open (`more`) shows as a gap again. */
export function onSynced(state: State, name: string, reply: SyncReply): State {
  return changeRoom(state, name, (room) => {
    if (room.catchUp !== 'sync') return room;
    const done: RoomState = { ...room, catchUp: 'none' };
    // A reply that brings nothing new answers for all there is: the head was told too high, by
    // a server that has since lost its last second. Without this we would ask forever. After a
    // reset we ask once more: a live event may have come before the page, and gone with it.
    const isStuck = !reply.reset && reply.through <= (room.have ?? -1);
    const head = isStuck ? Math.max(reply.through, ...done.ahead) : done.rev;
    // What is still to come is above this, whether or not we have heard of it.
    const rev = reply.more ? Math.max(head, reply.through + 1) : head;
    return reachThrough({ ...done, rev }, reply.through);
  });
}

/** The server refused a sync, or nobody waits for it any more. */
export function onSyncFailed(state: State, name: string): State {
  return changeRoom(state, name, (room) =>
    room.catchUp === 'sync' ? { ...room, catchUp: 'later' } : room,
  );
}

/** A room joined, made or found, with its latest messages as of one moment. */
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

/** The room anew from a page as of `rev`; live events that came before the reply stay. */
function restarted(room: RoomState, reply: Joined, rev: number): RoomState {
  const outOfOrder = new Map(room.outOfOrder);
  for (const message of room.live.messages) outOfOrder.set(message.seq, message);
  for (const wire of reply.messages) {
    outOfOrder.set(wire.seq, withKnownState({ ...room, outOfOrder }, toMessage(wire)));
  }
  const { ahead, earlyMarks } = room;
  const fresh: RoomState = { ...emptied(room), outOfOrder, earlyMarks, ahead, catchUp: 'none' };
  const reached = reachThrough(fresh, rev);
  return reached.live.messages.length > 0 ? reached : settle(reached);
}

/** A page of history was asked for. */
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

/** The server's answer to a marker that was sent. */
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

/** These rooms are on screen now; only they keep many messages. */
export function onOpened(state: State, names: readonly string[]): State {
  const open = new Map(names.map((name) => [name, state.open.get(name) ?? true]));
  const left = [...state.open.keys()].filter((name) => !open.has(name));
  if (left.length === 0 && open.size === state.open.size) return state;
  return left.reduce(offScreen, { ...state, open });
}

function offScreen(state: State, name: string): State {
  const room = state.rooms.get(name);
  // A thread that is only looked into is not told of any more.
  if (room && room.role === null && room.parent !== null) return withoutRoom(state, name);
  return changeRoom(state, name, (known) => ({ ...leaveDetachedRange(known) }));
}

/** Whether the timeline of a room on screen moves on with new messages. */
export function onFollowing(state: State, name: string, following: boolean): State {
  if (!state.open.has(name) || state.open.get(name) === following) return state;
  return { ...state, open: new Map(state.open).set(name, following) };
}
