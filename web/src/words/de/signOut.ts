import type { SignOutWords } from '../en/signOut';
import { pluralIn } from '../plural';

const plural = pluralIn('de');

export const signOut: SignOutWords = {
  signOut: 'Abmelden',
  signOutAnyway: 'Trotzdem abmelden',
  unsent: (count) =>
    plural(count, {
      one: '# Nachricht wurde noch nicht gesendet.',
      other: '# Nachrichten wurden noch nicht gesendet.',
    }),
  drafts: (count) =>
    plural(count, {
      one: '# Entwurf wurde noch nicht gesendet.',
      other: '# Entwürfe wurden noch nicht gesendet.',
    }),
  wouldBeLost:
    'Beim Abmelden wird alles gelöscht, was dieser Browser zu deinem Konto gespeichert hat, auch dieser Text.',
  serverAway:
    'Der Server hat nicht geantwortet. Du kannst dich trotzdem abmelden: Was dieser Browser zu deinem Konto gespeichert hat, wird sofort gelöscht, und die Sitzung endet, sobald dieser Browser den Server wieder erreicht.',
};
