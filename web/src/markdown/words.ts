/** The words around code and emoji, in every language: they come with what shows these. */

import { language, type Language } from '../words/language.svelte';
import { text as de } from '../words/de/markdown';
import { text as en, type TextWords } from '../words/en/markdown';

const TEXT: Record<Language, TextWords> = { en, de };

export const textWords = (): TextWords => TEXT[language.current];
