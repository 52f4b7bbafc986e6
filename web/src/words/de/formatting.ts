import type { FormattingWords } from '../en/formatting';

export const formatting: FormattingWords = {
  title: 'Formatierung',
  names: {
    bold: 'Fett',
    italic: 'Kursiv',
    strike: 'Durchgestrichen',
    code: 'Code',
    block: 'Codeblock',
    link: 'Link',
    quote: 'Zitat',
    bullets: 'Aufzählung',
    numbers: 'Nummerierte Liste',
    tasks: 'Aufgabenliste',
    spoiler: 'Spoiler',
  },
  control: 'Strg',
  shift: 'Umschalt',
  offered:
    'Das sieht nach Code aus. Vor dem Textfeld ist ein Knopf, der einen Codeblock daraus macht.',
  looksLikeCode: 'Das sieht nach Code aus.',
  makeBlock: 'Codeblock daraus machen',
  notNow: 'So lassen',

  spoilerHidden: 'Spoiler, verborgen',
  spoilerShown: 'Spoiler, sichtbar',
};
