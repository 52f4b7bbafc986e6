import type { SetupWords } from '../en/setup';

export const setup: SetupWords = {
  setUp: 'Richte deinen Server ein',
  setUpHint: 'Er gehört jetzt dir. Alles hier lässt sich später in den Einstellungen ändern.',
  serverName: 'Wie heißt er?',
  serverNameHint: 'Dein Team, dein Verein, deine Familie.',
  serverNameMissing: 'Gib ihm einen Namen.',
  serverNameLong: 'Bitte höchstens 60 Zeichen.',
  whoMayJoin: 'Wer darf dazukommen?',
  joining: {
    open: 'Alle, die ihn erreichen',
    invite: 'Wer einen Einladungslink hat',
    closed: 'Niemand Neues',
  },
  guestsToo: 'Gäste dürfen hereinschauen',
  guestsTooHint: 'Ohne Konto, nur in öffentliche Räume.',
  done: 'Weiter',
  later: 'Später entscheiden',

  ready: 'Dein Chat ist bereit',
  readyOpen: 'Alle, die diesen Server erreichen, können ein Konto anlegen.',
  readyInvite: (days, people) =>
    `Gib diesen Link denen, die du hier haben willst. Er gilt ${days} Tage und für ${people} Leute; weitere findest du in den Einstellungen.`,
  readyClosed: 'Niemand Neues kann dazukommen. Das kannst du in den Einstellungen ändern.',
  fixedRegistration:
    'Wer dazukommen darf, wurde beim Start des Servers festgelegt. Es bleibt dabei und lässt sich dort ändern.',
  fixedGuests:
    'Ob Gäste hereinschauen dürfen, wurde beim Start des Servers festgelegt. Es bleibt dabei und lässt sich dort ändern.',
  inviteLink: 'Einladungslink',
  copy: 'Kopieren',
  open: 'Zum Chat',
};
