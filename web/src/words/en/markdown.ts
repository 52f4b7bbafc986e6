/** Formatted messages, and the emoji picker. */
export const markdown = {
  code: 'Code',
  /** The label of a code block; the language is as typed, or empty. */
  codeIn: (language: string) => (language ? `Code, ${language}` : 'Code'),
  copyCode: 'Copy code',
  notCopied: 'Your browser did not allow copying. Select the code and copy it yourself.',
  table: 'Table',
  taskDone: 'Done',
  taskOpen: 'To do',
  showMore: 'Show more',
  showLess: 'Show less',

  emoji: 'Emoji',
  findEmoji: 'Find an emoji',
  recentEmoji: 'Recently used',
  foundEmoji: 'Search results',
  groups: 'Emoji groups',
  noEmoji: 'There is no matching emoji.',
  /** By emojibase's number of the group. */
  emojiGroups: {
    0: 'Smileys and emotions',
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
