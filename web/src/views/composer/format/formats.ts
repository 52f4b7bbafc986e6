/** The formats in the order of the toolbar, and their shortcuts. The help is made from these too. */

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

/** In the form of `keysOf`; digits by their position on the keyboard. */
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
