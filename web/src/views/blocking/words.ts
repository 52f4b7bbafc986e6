/** The words for blocking in every language, loaded with the views. */

import { language, type Language } from '../../words/language.svelte';
import { blocking as de } from '../../words/de/blocking';
import { blocking as en, type BlockingWords } from '../../words/en/blocking';

const WORDS: Record<Language, BlockingWords> = { en, de };

export const blockingWords = (): BlockingWords => WORDS[language.current];
