import type { SignInWords } from '../en/signIn';
import { pluralIn } from '../plural';

const plural = pluralIn('de');

export const signIn: SignInWords = {
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
    'Deine Sitzung ist zu Ende. Melde dich wieder an. Ungesendete Nachrichten bleiben erhalten und werden gesendet, sobald du zurück bist.',
  noGuests: 'Dieser Server nimmt keine Gäste mehr an. Melde dich mit einem Konto an.',
  signedOut: 'Du hast dich abgemeldet. In diesem Browser ist nichts von deinem Konto geblieben.',
  leavingDue:
    'Du bist in diesem Browser abgemeldet. Die Sitzung endet, sobald der Server wieder erreichbar ist.',
  unreachable:
    'Der Server ist gerade nicht erreichbar. Diese Seite versucht es alle paar Sekunden wieder.',
  invitedAlready: 'Du hast hier schon ein Konto und brauchst keine Einladung.',

  name: 'Name',
  nameHint: 'Buchstaben, Ziffern, Punkte, Binde- und Unterstriche. Er lässt sich später nicht ändern.',
  nameBecomes: (name) => `Du heißt dann @${name}`,
  nameMissing: 'Gib deinen Namen ein.',
  nameLong: 'Nimm höchstens 32 Zeichen.',
  nameCharacters: 'Nimm nur Buchstaben, Ziffern, Punkte, Binde- und Unterstriche, keine Leerzeichen.',
  nameEdges: 'Der Name muss mit einem Buchstaben oder einer Ziffer beginnen und enden.',
  shownAs: 'Angezeigter Name (optional)',
  shownAsHint: 'Das sehen andere neben deinen Nachrichten. Du kannst es jederzeit ändern.',
  shownAsLong: 'Nimm höchstens 64 Zeichen.',
  password: 'Passwort',
  passwordHint: 'Mindestens 8 Zeichen. Gut sind drei zufällige Wörter.',
  passwordShort: 'Nimm mindestens 8 Zeichen.',
  passwordMissing: 'Gib dein Passwort ein.',
  show: 'Zeigen',
  showTyped: 'Passwort anzeigen',

  create: 'Lege dein Konto an',
  invited: 'Du bist eingeladen. Lege dein Konto an',
  guestCreate: 'Lege ein Konto an und bleib dabei',
  inviteNeeded:
    'Für ein neues Konto brauchst du eine Einladung. Bitte einen Admin dieses Servers um einen Link und öffne ihn.',
  closed: 'Dieser Server nimmt keine neuen Konten an.',
  first: 'Dieser Server ist ganz neu. Lege das erste Konto an, dann kann es losgehen.',
  firstByLink: 'Mit diesem Link gehört der Server dir. Lege zuerst dein Konto an.',
  noOwner:
    'Dieser Server gehört noch niemandem. Wenn du ihn gestartet hast, öffne den Link, den er dabei ausgegeben hat.',
  waitMinutes: (minutes) =>
    plural(minutes, {
      one: 'Zu viele Versuche. Warte # Minute und versuche es dann noch einmal.',
      other: 'Zu viele Versuche. Warte # Minuten und versuche es dann noch einmal.',
    }),
  waitSeconds: (seconds) =>
    plural(seconds, {
      one: 'Zu viele Versuche. Warte # Sekunde und versuche es dann noch einmal.',
      other: 'Zu viele Versuche. Warte # Sekunden und versuche es dann noch einmal.',
    }),

  or: 'oder',
  guestName: 'Name als Gast (optional)',
  guestNameHint: 'Gäste können ohne Konto in öffentlichen Räumen lesen und schreiben.',
  enterAsGuest: 'Als Gast weitermachen',
};
