/** The parts of the composer that are loaded after it is shown. */

export { default as Completion } from './completion/Completion.svelte';
export { default as Formatting } from './toolbar/Formatting.svelte';
export { default as FormattingButton } from './toolbar/FormattingButton.svelte';
export { default as ModeBar } from './ModeBar.svelte';
