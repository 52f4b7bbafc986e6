import type { MarkdownWords } from '../en/markdown';

export const markdown: MarkdownWords = {
  code: 'Code',
  codeIn: (language) => (language ? `Code, ${language}` : 'Code'),
  copyCode: 'Code kopieren',
  notCopied: 'Dein Browser hat das Kopieren nicht erlaubt. Markiere den Code und kopiere ihn selbst.',
  table: 'Tabelle',
  taskDone: 'Erledigt',
  taskOpen: 'Zu erledigen',
  showMore: 'Mehr anzeigen',
  showLess: 'Weniger anzeigen',

  emoji: 'Emoji',
  findEmoji: 'Emoji suchen',
  recentEmoji: 'Zuletzt benutzt',
  foundEmoji: 'Suchergebnisse',
  groups: 'Emoji-Gruppen',
  noEmoji: 'Es gibt kein passendes Emoji.',
  emojiGroups: {
    0: 'Smileys und Gefühle',
    1: 'Menschen',
    3: 'Tiere und Natur',
    4: 'Essen und Trinken',
    5: 'Reisen und Orte',
    6: 'Aktivitäten',
    7: 'Gegenstände',
    8: 'Symbole',
    9: 'Flaggen',
  },
};
