/** Everything that only long texts and texts with markup need, in one chunk. */
export { default as Steps } from './Steps.svelte';
