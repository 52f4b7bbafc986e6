/** The words around code and emoji in every language, loaded with what uses them. */

import { language, type Language } from '../words/language.svelte';
import { markdown as de } from '../words/de/markdown';
import { markdown as en, type MarkdownWords } from '../words/en/markdown';

const WORDS: Record<Language, MarkdownWords> = { en, de };

export const markdownWords = (): MarkdownWords => WORDS[language.current];
