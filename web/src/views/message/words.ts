/** The less frequent words about messages in every language, loaded with what uses them. */

import { language, type Language } from '../../words/language.svelte';
import { message as de } from '../../words/de/message';
import { message as en, type MessageWords } from '../../words/en/message';

const WORDS: Record<Language, MessageWords> = { en, de };

export const messageWords = (): MessageWords => WORDS[language.current];
