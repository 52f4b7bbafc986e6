/** Formatting in the composer, and spoilers in messages; loaded with these. */

export const formatting = {
  title: 'Formatting',
  names: {
    bold: 'Bold',
    italic: 'Italic',
    strike: 'Strikethrough',
    code: 'Code',
    block: 'Code block',
    link: 'Link',
    quote: 'Quote',
    bullets: 'Bulleted list',
    numbers: 'Numbered list',
    tasks: 'Task list',
    spoiler: 'Spoiler',
  },
  control: 'Ctrl',
  shift: 'Shift',
  /** Announced when the offer below appears. */
  offered: 'This looks like code. Before the text field there is a button that makes it a code block.',
  looksLikeCode: 'This looks like code.',
  makeBlock: 'Make it a code block',
  notNow: 'Leave it as it is',

  spoilerHidden: 'Spoiler, hidden',
  spoilerShown: 'Spoiler, shown',
};

export type FormattingWords = typeof formatting;
