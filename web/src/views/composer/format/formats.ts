/** What text can be made into, in the order of the toolbar, and the keys for it; help reads them too. */

export const FORMATS = [
  'bold',
  'italic',
  'strike',
  'code',
  'block',
  'link',
  'quote',
  'bullets',
  'numbers',
  'tasks',
  'spoiler',
] as const;

export type Format = (typeof FORMATS)[number];

/** As `keysOf` has them, digits by their place on the keyboard. */
export const KEYS: Partial<Record<Format, string>> = {
  bold: 'Mod+B',
  italic: 'Mod+I',
  strike: 'Mod+Shift+X',
  code: 'Mod+E',
  link: 'Mod+Shift+U',
  quote: 'Mod+Shift+9',
  bullets: 'Mod+Shift+8',
  numbers: 'Mod+Shift+7',
};
