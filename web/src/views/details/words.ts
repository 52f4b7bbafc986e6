/** The words of the details in every language, loaded with the view. */

import { language, type Language } from '../../words/language.svelte';
import { roomDetails as de } from '../../words/de/roomDetails';
import { roomDetails as en, type RoomDetailsWords } from '../../words/en/roomDetails';

const WORDS: Record<Language, RoomDetailsWords> = { en, de };

export const roomDetailsWords = (): RoomDetailsWords => WORDS[language.current];
