/** The words around code and emoji, in every language: they come with what shows these. */

import { language, type Language } from '../words/language.svelte';
import { markdown as de } from '../words/de/markdown';
import { markdown as en, type MarkdownWords } from '../words/en/markdown';

const TEXT: Record<Language, MarkdownWords> = { en, de };

export const markdownWords = (): MarkdownWords => TEXT[language.current];
