/** From a message to its thread. */

import { roomRoute, router } from '../../app/router.svelte';
import type { Message } from '../../data/state/state';
import { threadId, threadOf } from '../../data/state/thread';

/** Whether there is one, or this person may begin it. In a thread there are no others. */
export const canOpenThread = ({ room, deleted, marks }: Message, mayPost: boolean): boolean =>
  threadOf(room) === null && (marks.replies > 0 || (mayPost && !deleted));

export function openThread({ room, seq }: Message): void {
  router.go(roomRoute(threadId(room, seq)));
}
