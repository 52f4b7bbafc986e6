/** The words of the settings in every language, loaded with the view. */

import { language, type Language } from '../../../words/language.svelte';
import { settings as de } from '../../../words/de/settings';
import { settings as en, type SettingsWords } from '../../../words/en/settings';

const WORDS: Record<Language, SettingsWords> = { en, de };

export const settingsWords = (): SettingsWords => WORDS[language.current];
