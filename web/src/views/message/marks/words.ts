/** What is said of reactions and pins, in every language: it comes with what says it. */

import { language, type Language } from '../../../words/language.svelte';
import { marks as de } from '../../../words/de/marks';
import { marks as en, type MarkWords } from '../../../words/en/marks';

const MARKS: Record<Language, MarkWords> = { en, de };

export const markWords = (): MarkWords => MARKS[language.current];
