/** The words for what people keep and pass on, in every language: they come with it. */

import { language, type Language } from '../../words/language.svelte';
import { keeping as de } from '../../words/de/lists';
import { keeping as en, type KeepingWords } from '../../words/en/lists';

const KEEPING: Record<Language, KeepingWords> = { en, de };

export const keepingWords = (): KeepingWords => KEEPING[language.current];
