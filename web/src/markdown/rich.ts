/** All that only a text needs that has markup or is long, in one file. */
export { default as Steps } from './Steps.svelte';
