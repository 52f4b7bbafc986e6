import type { Words } from '../en';
import { pluralIn } from '../plural';

const plural = pluralIn('de');

export const door: Words['door'] = {
  signIn: 'Anmelden',
  createAccount: 'Konto anlegen',
  newHere: 'Neu hier?',
  toSignUp: 'Lege ein Konto an',
  haveAccount: 'Du hast schon ein Konto?',
  toSignIn: 'Melde dich an',
  backToChat: 'Zurück zum Chat',
  language: 'Sprache',
  version: (version) => `Hubbub ${version}`,

  ended: 'Deine Sitzung ist zu Ende. Melde dich wieder an.',
  endedUnsent:
    'Deine Sitzung ist zu Ende. Melde dich wieder an. Ungesendete Nachrichten bleiben erhalten und gehen hinaus, sobald du zurück bist.',
  noGuests: 'Dieser Server lässt keine Gäste mehr ein. Melde dich mit einem Konto an.',
  signedOut: 'Du hast dich abgemeldet. In diesem Browser ist nichts von deinem Konto geblieben.',
  unreachable:
    'Der Server ist gerade nicht erreichbar. Diese Seite versucht es alle paar Sekunden wieder.',
  invitedAlready: 'Du hast hier schon ein Konto und brauchst keine Einladung.',

  name: 'Name',
  nameHint: 'Buchstaben, Ziffern, Punkte, Binde- und Unterstriche. Er lässt sich später nicht ändern.',
  nameBecomes: (name) => `Du heißt dann @${name}`,
  nameMissing: 'Gib deinen Namen ein.',
  nameLong: 'Ein Name hat höchstens 32 Zeichen.',
  nameCharacters: 'Nur Buchstaben, Ziffern, Punkte, Binde- und Unterstriche; keine Leerzeichen.',
  nameEdges: 'Ein Name beginnt und endet mit einem Buchstaben oder einer Ziffer.',
  shownAs: 'Angezeigt als (freiwillig)',
  shownAsHint: 'Das sehen andere neben deinen Nachrichten. Du kannst es jederzeit ändern.',
  shownAsLong: 'Bitte höchstens 64 Zeichen.',
  password: 'Passwort',
  passwordHint: 'Mindestens 8 Zeichen. Drei Wörter sind gut.',
  passwordShort: 'Ein Passwort hat mindestens 8 Zeichen.',
  passwordMissing: 'Gib dein Passwort ein.',
  show: 'Zeigen',
  showTyped: 'Zeigen, was ich tippe',

  create: 'Lege dein Konto an',
  invited: 'Du bist eingeladen. Lege dein Konto an',
  guestCreate: 'Bleib hier: Lege ein Konto an',
  inviteNeeded:
    'Für ein neues Konto brauchst du eine Einladung. Bitte jemanden von hier um einen Link und öffne ihn.',
  closed: 'Dieser Server nimmt keine neuen Konten an.',
  first: 'Dieser Server ist ganz neu. Lege das erste Konto an, und es geht los.',
  firstByLink: 'Mit diesem Link wird der Server deiner. Zuerst brauchst du ein Konto.',
  noOwner:
    'Dieser Server gehört noch niemandem. Wenn du ihn gestartet hast: Öffne den Link, den er dabei ausgegeben hat.',
  waitSeconds: (seconds) =>
    plural(seconds, {
      one: 'Zu viele Versuche. Warte # Sekunde und versuche es dann noch einmal.',
      other: 'Zu viele Versuche. Warte # Sekunden und versuche es dann noch einmal.',
    }),

  or: 'oder',
  called: 'Genannt (freiwillig)',
  calledHint: 'Gäste können ohne Konto in öffentlichen Räumen lesen und schreiben.',
  lookIn: 'Als Gast hereinschauen',

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
