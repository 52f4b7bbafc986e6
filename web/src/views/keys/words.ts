/** The words of the help in every language, loaded with it. */

import { language, type Language } from '../../words/language.svelte';
import { keys as de } from '../../words/de/keys';
import { keys as en, type KeysWords } from '../../words/en/keys';

const WORDS: Record<Language, KeysWords> = { en, de };

export const keysWords = (): KeysWords => WORDS[language.current];
