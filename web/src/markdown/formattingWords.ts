/** The words for formatting in every language, loaded with what uses them. */

import { language, type Language } from '../words/language.svelte';
import { formatting as de } from '../words/de/formatting';
import { formatting as en, type FormattingWords } from '../words/en/formatting';

const WORDS: Record<Language, FormattingWords> = { en, de };

export const formattingWords = (): FormattingWords => WORDS[language.current];
