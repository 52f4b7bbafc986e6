import type { Words } from '../en';
import { pluralIn } from '../plural';

const plural = pluralIn('de');

export const details: Words['details'] = {
  title: 'Details',
  back: 'Zurück zu den Räumen',
  members: (count) => plural(count, { one: '# Mitglied', other: '# Mitglieder' }),
  onlyYou: 'Nur du kannst das sehen',
  private: 'Privater Raum',
  muted: 'Stummgeschaltet',
  archived: 'Archiviert',
};
