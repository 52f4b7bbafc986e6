/** The words for threads in every language, loaded with what uses them. */

import { language, type Language } from '../../../words/language.svelte';
import { threads as de } from '../../../words/de/threads';
import { threads as en, type ThreadWords } from '../../../words/en/threads';

const WORDS: Record<Language, ThreadWords> = { en, de };

export const threadWords = (): ThreadWords => WORDS[language.current];
