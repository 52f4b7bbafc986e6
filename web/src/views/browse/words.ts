/** The words for finding and making rooms, in every language: they come with these views. */

import { language, type Language } from '../../words/language.svelte';
import { browse as de } from '../../words/de/browse';
import { browse as en, type BrowseWords } from '../../words/en/browse';

const BROWSE: Record<Language, BrowseWords> = { en, de };

export const browseWords = (): BrowseWords => BROWSE[language.current];
