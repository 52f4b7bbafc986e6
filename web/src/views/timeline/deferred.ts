/** What a timeline can be shown without at first. */

export { default as Actions } from './Actions.svelte';
export { default as Beginning } from './Beginning.svelte';
export { default as Below } from './Below.svelte';
export { default as ConfirmDelete } from './ConfirmDelete.svelte';
export { default as Forwarded } from '../keeping/Forwarded.svelte';
export { hearReactions } from '../marks/hearing';
export { default as Marks } from '../marks/Marks.svelte';
export { Links } from './links.svelte';
export { hear } from './listening';
export { default as OnItsWay } from './OnItsWay.svelte';
export { Pointing } from './pointing.svelte';
export { default as Quote } from './Quote.svelte';
export { default as Replies } from './Replies.svelte';
