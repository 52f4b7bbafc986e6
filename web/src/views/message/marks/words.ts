/** The words for reactions and pins in every language, loaded with what uses them. */

import { language, type Language } from '../../../words/language.svelte';
import { marks as de } from '../../../words/de/marks';
import { marks as en, type MarkWords } from '../../../words/en/marks';

const WORDS: Record<Language, MarkWords> = { en, de };

export const markWords = (): MarkWords => WORDS[language.current];
