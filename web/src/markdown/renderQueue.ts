/** Spreads expensive rendering over several tasks, so that none of them blocks the page. */

import { flushSync } from 'svelte';

/** Elements and runs of text per task; the message that has the turn may exceed it. */
export const PER_TASK = 400;

const waiting = new Set<() => void>();
let spent = 0;
let isPlanned = false;

export const renderQueue = {
  /** Whether this task has budget left. */
  get isFree(): boolean {
    return spent < PER_TASK;
  },

  spend(cost: number): void {
    spent += cost;
    plan();
  },

  /** Calls back in a task with budget. Last in, first out, because timelines end at the bottom. */
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
      // Skip what was unmounted in the meantime.
      if (!waiting.delete(show)) continue;
      show();
      // After this, its cost has been counted.
      flushSync();
    }
  } finally {
    if (waiting.size > 0) plan();
  }
}
