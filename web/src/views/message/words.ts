/** What is said of messages now and then, in every language: it comes with what says it. */

import { language, type Language } from '../../words/language.svelte';
import { acts as de } from '../../words/de/message';
import { acts as en, type ActWords } from '../../words/en/message';

const ACTS: Record<Language, ActWords> = { en, de };

export const actWords = (): ActWords => ACTS[language.current];
