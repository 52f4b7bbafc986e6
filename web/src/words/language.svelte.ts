/** The language of the client: the user's choice, otherwise that of the browser. */

import { en, type Words } from './en';

export type Language = 'en' | 'de';

/** Each language by its own name. */
export const LANGUAGES: Record<Language, string> = { en: 'English', de: 'Deutsch' };

const KEY = 'hubbub.language';

// English is part of the first load; every other language is loaded when it is needed.
const LOAD: Record<Language, () => Promise<Words>> = {
  en: () => Promise.resolve(en),
  de: () => import('./de').then((module) => module.de),
};

function isLanguage(code: string): code is Language {
  return Object.hasOwn(LANGUAGES, code);
}

class LanguageChoice {
  current = $state.raw<Language>('en');
  words = $state.raw<Words>(en);

  /** The user's choice; null: that of the browser. */
  get chosen(): Language | null {
    const kept = localStorage.getItem(KEY) ?? '';
    return isLanguage(kept) ? kept : null;
  }

  get ofBrowser(): Language {
    return navigator.languages.map((tag) => tag.slice(0, 2)).find(isLanguage) ?? 'en';
  }

  async start(): Promise<void> {
    await this.#speak(this.chosen ?? this.ofBrowser);
  }

  async choose(language: Language | null): Promise<void> {
    if (language) localStorage.setItem(KEY, language);
    else localStorage.removeItem(KEY);
    await this.#speak(language ?? this.ofBrowser);
  }

  async #speak(language: Language): Promise<void> {
    try {
      this.words = await LOAD[language]();
      this.current = language;
    } catch {
      // Offline and not cached: keep English.
    }
    document.documentElement.lang = this.current;
  }
}

export const language = new LanguageChoice();

/** The words in the current language; in a component: `const t = $derived(words().timeline)`. */
export const words = (): Words => language.words;
