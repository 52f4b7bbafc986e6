/** The parts of the timeline that are loaded after the first rows are shown. */

export { default as Actions } from '../message/Actions.svelte';
export { default as Beginning } from './Beginning.svelte';
export { default as JumpToLatest } from './JumpToLatest.svelte';
export { default as ConfirmDelete } from '../message/ConfirmDelete.svelte';
export { default as Forwarded } from '../message/Forwarded.svelte';
export { announceReactions } from '../message/marks/announceReactions';
export { default as Marks } from '../message/marks/Marks.svelte';
export { Permalink } from './permalink.svelte';
export { announceMessage } from './announceMessages';
export { default as SendStatus } from '../message/SendStatus.svelte';
export { ActiveRow } from './activeRow.svelte';
export { default as Quote } from '../message/Quote.svelte';
export { default as Replies } from '../message/Replies.svelte';
