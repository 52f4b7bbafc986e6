/** From a message to its thread. */

import { roomRoute, router } from '../../app/router.svelte';
import type { Message } from '../../data/state/state';
import { threadId, threadOf } from '../../data/state/thread';

/** Whether there is a thread, or the user may start one. A thread cannot contain another. */
export const canOpenThread = ({ room, deleted, marks }: Message, mayPost: boolean): boolean =>
  threadOf(room) === null && (marks.replies > 0 || (mayPost && !deleted));

export function openThread({ room, seq }: Message): void {
  router.go(roomRoute(threadId(room, seq)));
}
