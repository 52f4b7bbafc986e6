/** Divides among tasks what costs much to put on the page, so that none of them holds up the rest. */

import { flushSync } from 'svelte';

/** Elements and runs of text; who has had the turn may go beyond it. */
export const PER_TASK = 400;

const waiting = new Set<() => void>();
let spent = 0;
let isPlanned = false;

export const renderQueue = {
  /** Whether more can be put there in this task. */
  get isFree(): boolean {
    return spent < PER_TASK;
  },

  spend(cost: number): void {
    spent += cost;
    plan();
  },

  /** Called in a task that has room for it. The last who asks is the first: timelines end below. */
  wait(show: () => void): () => void {
    waiting.add(show);
    plan();
    return () => waiting.delete(show);
  },
};

function plan(): void {
  if (isPlanned) return;
  isPlanned = true;
  setTimeout(next);
}

function next(): void {
  isPlanned = false;
  spent = 0;
  try {
    for (const show of [...waiting].reverse()) {
      if (!renderQueue.isFree) break;
      // One that has gone meanwhile needs none.
      if (!waiting.delete(show)) continue;
      show();
      // What it puts there is spent by now.
      flushSync();
    }
  } finally {
    if (waiting.size > 0) plan();
  }
}
