/** The words about the connection in every language, loaded with what uses them. */

import { language, type Language } from '../../words/language.svelte';
import { status as de } from '../../words/de/status';
import { status as en, type StatusWords } from '../../words/en/status';

const WORDS: Record<Language, StatusWords> = { en, de };

export const statusWords = (): StatusWords => WORDS[language.current];
