import type { Words } from '../en';

export const common: Words['common'] = {
  cancel: 'Abbrechen',
  close: 'Schließen',
  save: 'Speichern',
  delete: 'Löschen',
  back: 'Zurück',
  more: 'Mehr',
  copied: 'Kopiert',
  loading: 'Wird geladen …',
  you: 'Du',
  guest: 'Gast',
  online: 'online',
  away: 'abwesend',
  offline: 'offline',
  tryAgain: 'Noch einmal versuchen',
};
