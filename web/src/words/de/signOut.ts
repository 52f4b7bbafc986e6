import type { SignOutWords } from '../en/signOut';
import { pluralIn } from '../plural';

const plural = pluralIn('de');

export const signOut: SignOutWords = {
  signOut: 'Abmelden',
  signOutAnyway: 'Trotzdem abmelden',
  unsent: (count) =>
    plural(count, {
      one: '# Nachricht ist noch nicht gesendet.',
      other: '# Nachrichten sind noch nicht gesendet.',
    }),
  drafts: (count) =>
    plural(count, {
      one: '# Entwurf ist angefangen und nicht gesendet.',
      other: '# Entwürfe sind angefangen und nicht gesendet.',
    }),
  wouldBeLost:
    'Beim Abmelden wird gelöscht, was dieser Browser von deinem Konto aufbewahrt, auch dieser Text.',
  serverAway:
    'Der Server hat nicht geantwortet. Du kannst dich trotzdem abmelden: Was dieser Browser aufbewahrt, wird sofort gelöscht, und die Sitzung endet, sobald dieser Browser den Server wieder erreicht.',
};
