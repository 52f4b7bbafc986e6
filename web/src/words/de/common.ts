import type { Words } from '../en';

export const common: Words['common'] = {
  cancel: 'Abbrechen',
  close: 'Schließen',
  save: 'Speichern',
  delete: 'Löschen',
  back: 'Zurück',
  copied: 'Kopiert',
  loading: 'Wird geladen …',
  online: 'online',
  away: 'abwesend',
  offline: 'offline',
  tryAgain: 'Noch einmal versuchen',
  newVersion: 'Eine neue Version ist verfügbar.',
  reload: 'Neu laden und aktualisieren',
};
