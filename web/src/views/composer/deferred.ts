/** What helps to write, and is not needed to see the composer. */

export { default as Completion } from './completion/Completion.svelte';
export { default as Formatting } from './toolbar/Formatting.svelte';
export { default as FormattingButton } from './toolbar/FormattingButton.svelte';
export { default as ModeBar } from './ModeBar.svelte';
