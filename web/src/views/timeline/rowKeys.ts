/** Keyboard shortcuts of the timeline while a row has the focus. */

import { messageIn } from '../message/grouping';
import { composerIn } from '../../app/composing.svelte';
import { canOpenThread, openThread } from '../message/threadLink';
import type { ActiveRow } from './activeRow.svelte';

export function onRowKey(event: KeyboardEvent, activeRow: ActiveRow, canReply: boolean): void {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const at = activeRow.at(event.target);
  // Keys pressed inside the row, for example on a link, do not belong to the row.
  if (!at || event.target !== at.element) return;
  const message = messageIn(at.row);
  const run = {
    ArrowUp: () => focus(at.element.previousElementSibling),
    ArrowDown: () => focus(at.element.nextElementSibling),
    Home: () => focus(at.element.parentElement?.firstElementChild),
    End: () => focus(at.element.parentElement?.lastElementChild),
    Enter: message && (() => activeRow.open('menu', at.row.key)),
    e: message && canReply && !message.deleted && (() => activeRow.open('emoji', at.row.key)),
    t: message && canOpenThread(message, canReply) && (() => openThread(message)),
    r: message && canReply && !message.deleted && (() => composerIn(message.room).reply(message.seq)),
  }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!run) return;
  event.preventDefault();
  run();
}

function focus(element: Element | null | undefined): void {
  if (element instanceof HTMLElement) element.focus();
}
