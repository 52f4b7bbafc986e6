/** The words for lists, saved messages and forwarding in every language, loaded with what uses them. */

import { language, type Language } from '../../words/language.svelte';
import { lists as de } from '../../words/de/lists';
import { lists as en, type ListWords } from '../../words/en/lists';

const WORDS: Record<Language, ListWords> = { en, de };

export const listWords = (): ListWords => WORDS[language.current];
