/** The words for what people keep and pass on, in every language: they come with it. */

import { language, type Language } from '../../words/language.svelte';
import { lists as de } from '../../words/de/lists';
import { lists as en, type ListWords } from '../../words/en/lists';

const KEEPING: Record<Language, ListWords> = { en, de };

export const listWords = (): ListWords => KEEPING[language.current];
