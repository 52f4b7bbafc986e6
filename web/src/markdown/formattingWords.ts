/** The words of formatting, in every language: they come with it. */

import { language, type Language } from '../words/language.svelte';
import { formatting as de } from '../words/de/formatting';
import { formatting as en, type FormattingWords } from '../words/en/formatting';

const FORMATTING: Record<Language, FormattingWords> = { en, de };

export const formattingWords = (): FormattingWords => FORMATTING[language.current];
