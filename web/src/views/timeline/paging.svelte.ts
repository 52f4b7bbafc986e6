/** Loads the pages above and below the messages on screen, one at a time, when an end comes near. */

import { session } from '../../app/session/session.svelte';
import { explain } from '../../app/errors';
import { shownSegment, type RoomState } from '../../data/state/state';

type Where = 'older' | 'newer';

function endOf(room: RoomState | undefined, where: Where): number | undefined {
  return room && shownSegment(room).messages.at(where === 'older' ? 0 : -1)?.seq;
}

export class Paging {
  busy = $state<Where | null>(null);
  /** The latest error, and the direction to retry. */
  problem = $state.raw<{ where: Where; text: string } | null>(null);
  /** The direction in which nothing was loaded although there is more, for example offline. */
  #stuck = new Map<Where, number | undefined>();

  constructor(private readonly room: string) {}

  async ask(where: Where): Promise<void> {
    if (this.busy || this.problem) return;
    const end = endOf(session.currentChat.state.rooms.get(this.room), where);
    // A new page is on screen with the next frame; only then is its end known.
    if (end !== endOf(session.state.rooms.get(this.room), where)) return;
    if (this.#stuck.has(where) && this.#stuck.get(where) === end) return;
    this.busy = where;
    try {
      await session.currentChat.history[where](this.room);
      if (endOf(session.currentChat.state.rooms.get(this.room), where) === end) this.#stuck.set(where, end);
    } catch (error) {
      this.problem = { where, text: explain(error) };
    } finally {
      this.busy = null;
    }
  }

  /** After reconnecting, or when the user retries. */
  retry(): void {
    this.#stuck.clear();
    const { problem } = this;
    this.problem = null;
    if (problem) void this.ask(problem.where);
  }
}
