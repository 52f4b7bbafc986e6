/** The words of the sign-in page in every language, loaded with the view. */

import { language, type Language } from '../../words/language.svelte';
import { signIn as de } from '../../words/de/signIn';
import { signIn as en, type SignInWords } from '../../words/en/signIn';

const WORDS: Record<Language, SignInWords> = { en, de };

export const signInWords = (): SignInWords => WORDS[language.current];
