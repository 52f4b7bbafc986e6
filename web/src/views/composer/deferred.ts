/** What helps to write, and is not needed to see the composer. */

export { default as Completion } from './Completion.svelte';
export { default as Formatting } from './Formatting.svelte';
export { default as FormattingButton } from './FormattingButton.svelte';
export { default as ModeBar } from './ModeBar.svelte';
