/** The words of a new server's setup in every language, loaded with the view. */

import { language, type Language } from '../../../words/language.svelte';
import { setup as de } from '../../../words/de/setup';
import { setup as en, type SetupWords } from '../../../words/en/setup';

const WORDS: Record<Language, SetupWords> = { en, de };

export const setupWords = (): SetupWords => WORDS[language.current];
