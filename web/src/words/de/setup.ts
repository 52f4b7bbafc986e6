import type { SetupWords } from '../en/setup';

export const setup: SetupWords = {
  setUp: 'Richte deinen Server ein',
  setUpHint: 'Er gehört jetzt dir. Alles hier lässt sich später in den Einstellungen ändern.',
  serverName: 'Wie heißt dein Server?',
  serverNameHint: 'Zum Beispiel der Name deines Teams, deines Vereins oder deiner Familie.',
  serverNameMissing: 'Gib einen Namen für den Server ein.',
  serverNameLong: 'Nimm höchstens 60 Zeichen.',
  whoMayJoin: 'Wer darf dazukommen?',
  joining: {
    open: 'Alle, die ihn erreichen',
    invite: 'Wer einen Einladungslink hat',
    closed: 'Niemand Neues',
  },
  guestsToo: 'Gäste zulassen',
  guestsTooHint: 'Wer kein Konto hat, kann in öffentlichen Räumen lesen und schreiben.',
  done: 'Weiter',
  later: 'Später entscheiden',

  ready: 'Dein Chat ist bereit',
  readyOpen: 'Alle, die diesen Server erreichen, können ein Konto anlegen.',
  readyInvite: (days, people) =>
    `Gib diesen Link an alle weiter, die du einladen möchtest. Er gilt ${days} Tage und für ${people} Personen. Weitere Links kannst du in den Einstellungen erstellen.`,
  readyClosed: 'Niemand Neues kann dazukommen. Das kannst du in den Einstellungen ändern.',
  fixedRegistration:
    'Wer dazukommen darf, ist durch eine Option des Servers festgelegt und wurde daher nicht geändert.',
  fixedGuests:
    'Ob Gäste zugelassen sind, ist durch eine Option des Servers festgelegt und wurde daher nicht geändert.',
  inviteLink: 'Einladungslink',
  copy: 'Kopieren',
  open: 'Zum Chat',
};
