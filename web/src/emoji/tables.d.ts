/** Made by `build/emoji.ts`. */
declare module 'virtual:emoji' {
  /** The emoji, its group, its shortcodes with spaces between. */
  const rows: readonly (readonly [char: string, group: number, shortcodes: string])[];
  export default rows;
}

declare module 'virtual:emoji/*' {
  /** What it is called, and words to find it by. */
  const rows: readonly (readonly [name: string, tags: string])[];
  export default rows;
}
