/** Formatted messages, and the emoji picker. */
export const markdown = {
  code: 'Code',
  /** The label of a code block; the language is as typed, or empty. */
  codeIn: (language: string) => (language ? `Code, ${language}` : 'Code'),
  copyCode: 'Copy code',
  notCopied: 'The browser does not let this page copy. Select the code and copy it by hand.',
  table: 'Table',
  taskDone: 'Done',
  taskOpen: 'To do',
  showMore: 'Show more',
  showLess: 'Show less',

  emoji: 'Emoji',
  findEmoji: 'Find an emoji',
  recentEmoji: 'Used last',
  foundEmoji: 'Found',
  groups: 'Groups of emoji',
  noEmoji: 'No emoji is called that.',
  /** By emojibase's number of the group. */
  emojiGroups: {
    0: 'Smileys and feelings',
    1: 'People',
    3: 'Animals and nature',
    4: 'Food and drink',
    5: 'Travel and places',
    6: 'Activities',
    7: 'Objects',
    8: 'Symbols',
    9: 'Flags',
  },
};

export type MarkdownWords = typeof markdown;
