/** All that only a text with markup needs, in one file. */
export { default as Blocks } from './Blocks.svelte';
export { parse } from './parse';
