/** The words of the details, in every language: they are few, and come with the view. */

import { language, type Language } from '../../words/language.svelte';
import { panel as de } from '../../words/de/roomDetails';
import { panel as en, type PanelWords } from '../../words/en/roomDetails';

const PANEL: Record<Language, PanelWords> = { en, de };

export const panelWords = (): PanelWords => PANEL[language.current];
