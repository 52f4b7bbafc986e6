/** The words of the door, in every language: they are few, and come with the view. */

import { language, type Language } from '../../words/language.svelte';
import { door as de } from '../../words/de/signIn';
import { door as en, type DoorWords } from '../../words/en/signIn';

const DOOR: Record<Language, DoorWords> = { en, de };

export const doorWords = (): DoorWords => DOOR[language.current];
