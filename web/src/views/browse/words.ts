/** The words for finding and creating rooms in every language, loaded with these views. */

import { language, type Language } from '../../words/language.svelte';
import { browse as de } from '../../words/de/browse';
import { browse as en, type BrowseWords } from '../../words/en/browse';

const WORDS: Record<Language, BrowseWords> = { en, de };

export const browseWords = (): BrowseWords => WORDS[language.current];
