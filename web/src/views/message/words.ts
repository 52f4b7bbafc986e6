/** What is said of messages now and then, in every language: it comes with what says it. */

import { language, type Language } from '../../words/language.svelte';
import { message as de } from '../../words/de/message';
import { message as en, type MessageWords } from '../../words/en/message';

const ACTS: Record<Language, MessageWords> = { en, de };

export const messageWords = (): MessageWords => ACTS[language.current];
