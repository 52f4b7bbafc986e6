/**
 * Which actions to offer to whom. The server decides by its own table (`hubbub/model/policy.py`); this
 * copy only avoids offering what it would refuse.
 */

import type { RoomRole } from '../data/wire/protocol';
import type { Message, RoomState, State } from '../data/state/state';
import { homeOf } from '../data/state/thread';

/** As in `hubbub/model/rooms.py`. */
const SMALL_ROOM = 200;

const isAdmin = (state: State): boolean =>
  state.me?.role === 'owner' || state.me?.role === 'admin';

export const isGuest = (state: State): boolean => state.me?.role === 'guest';

function isModerator(state: State, room: RoomState): boolean {
  const { role } = homeOf(state, room);
  return (
    room.kind !== 'direct' &&
    (role === 'owner' || role === 'moderator' || (room.kind === 'public' && isAdmin(state)))
  );
}

const isOwner = (state: State, room: RoomState): boolean =>
  room.kind !== 'direct' && (room.role === 'owner' || (room.kind === 'public' && isAdmin(state)));

export const may = {
  /** In a thread the rights of its room apply. */
  post: (state: State, room: RoomState): boolean => {
    const { archived, role } = homeOf(state, room);
    return !archived && (role !== null || (isGuest(state) && room.kind === 'public'));
  },
  react: (state: State, room: RoomState): boolean => may.post(state, room),
  pin: (state: State, room: RoomState): boolean =>
    may.post(state, room) && homeOf(state, room).role !== null,
  edit: (state: State, room: RoomState, message: Message): boolean =>
    may.post(state, room) && !message.deleted && message.by === state.me?.name,
  delete: (state: State, room: RoomState, message: Message): boolean =>
    !homeOf(state, room).archived &&
    !message.deleted &&
    (message.by === state.me?.name || isModerator(state, room)),
  join: (state: State, room: RoomState): boolean =>
    room.role === null && room.kind === 'public' && !isGuest(state),
  /** Mention everybody with `@room` or `@here`; in large rooms only moderators may. */
  mentionAll: (state: State, room: RoomState): boolean =>
    homeOf(state, room).role !== null && (room.members <= SMALL_ROOM || isModerator(state, room)),
  invite: (room: RoomState): boolean => room.role !== null && room.kind !== 'direct',
  /** Remove somebody with this role from the room. Owners, moderators and server admins may. */
  kick: (state: State, room: RoomState, other: RoomRole): boolean =>
    isModerator(state, room) &&
    (isAdmin(state) || other === 'member' || (other === 'moderator' && isOwner(state, room))),
  setRole: isOwner,
  updateRoom: isModerator,
  deleteRoom: (state: State, room: RoomState): boolean => isOwner(state, room) && room.room !== 'lobby',
  archive: (state: State, room: RoomState): boolean =>
    isModerator(state, room) && room.room !== 'lobby',
  createRoom: (state: State): boolean => !isGuest(state),
  manageServer: (state: State): boolean => state.me?.role === 'owner',
  manageUsers: isAdmin,
  inviteToServer: isAdmin,
};
