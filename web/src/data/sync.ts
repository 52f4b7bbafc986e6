/** Fetches missing changes: one sync per room at a time, rooms on screen first. */

import type { StateHolder } from './readMarkers';
import type { SyncReply } from './wire/protocol';
import { Disconnected, Refused } from './wire/errors';
import { withoutRoom } from './state/reducer';
import { onSynced, onSyncFailed, onSyncSent } from './state/replies';
import type { RoomState, State } from './state/state';

/** More at once would only slow each other down. */
const AT_ONCE = 3;

/** Whether changes of this room are missing and have not been requested. */
export function needsSync(room: RoomState, open: State['open']): boolean {
  if (room.catchUp === 'later') return open.has(room.room);
  return room.catchUp === 'none' && (room.have === null || room.have < room.rev);
}

/** The rooms to sync now. */
export function roomsToSync(state: State): RoomState[] {
  const rooms = [...state.rooms.values()];
  const running = rooms.filter((room) => room.catchUp === 'sync').length;
  return rooms
    .filter((room) => needsSync(room, state.open))
    .sort((a, b) => Number(state.open.has(b.room)) - Number(state.open.has(a.room)))
    .slice(0, Math.max(0, AT_ONCE - running));
}

type Ask = (fields: { room: string; after: number }) => Promise<SyncReply>;

export class Syncing {
  #pausedUntil = 0;

  constructor(
    private readonly holder: StateHolder,
    private readonly ask: Ask,
  ) {}

  /** To be called after every change of the state while connected. */
  check(): void {
    if (Date.now() < this.#pausedUntil) return;
    // One at a time: sending changes the state, which calls this again.
    const [next] = roomsToSync(this.holder.state);
    if (next) void this.#sync(next);
  }

  async #sync({ room, have }: RoomState): Promise<void> {
    this.holder.update((state) => onSyncSent(state, room));
    try {
      const reply = await this.ask({ room, after: have ?? 0 });
      this.holder.update((state) => onSynced(state, room, reply));
    } catch (error) {
      this.#failed(room, error);
    }
  }

  #failed(room: string, error: unknown): void {
    if (error instanceof Disconnected) return;
    if (!(error instanceof Refused)) throw error;
    if (error.code === 'not_found') {
      this.holder.update((state) => withoutRoom(state, room));
      return;
    }
    const pauseMs = (error.retryAfterS ?? 1) * 1000;
    this.#pausedUntil = Date.now() + pauseMs;
    setTimeout(() => {
      this.#pausedUntil = 0;
      this.check();
    }, pauseMs);
    this.holder.update((state) => onSyncFailed(state, room));
  }
}
