import type { Words } from '../en';
import { pluralIn } from '../plural';

const plural = pluralIn('de');

export const composer: Words['composer'] = {
  messageRoom: (title) => `Nachricht an #${title}`,
  messagePerson: (name) => `Nachricht an ${name}`,
  send: 'Senden',
  emoji: 'Emoji',
  editing: 'Nachricht bearbeiten',
  replyingTo: (name) => `Antwort an ${name}`,
  replying: 'Antwort auf eine Nachricht',
  wasDeleted: 'Diese Nachricht wurde gelöscht.',
  useDelete:
    'Eine Nachricht kann nicht leer sein. Um sie zu entfernen, wähle „Löschen“ in ihrem Menü.',
  left: (count) => plural(count, { one: 'Noch # Zeichen', other: 'Noch # Zeichen' }),
  over: (count) => plural(count, { one: '# Zeichen zu viel', other: '# Zeichen zu viel' }),
  tooLong: (limit) =>
    plural(limit, {
      other: 'Eine Nachricht hat höchstens # Zeichen. Kürze sie oder sende sie in Teilen.',
    }),
  notKept:
    'Dein Browser konnte diese Nachricht nicht speichern, daher wurde sie nicht gesendet. Versuche es noch einmal.',
  joinToWrite: 'Tritt dem Raum bei, um hier zu schreiben.',
  join: 'Beitreten',
  archived: 'Dieser Raum ist archiviert. Du kannst ihn lesen, aber niemand kann hier mehr schreiben.',
  oneTypes: (name) => `${name} schreibt …`,
  twoType: (name, other) => `${name} und ${other} schreiben …`,
  manyType: 'Mehrere schreiben …',
};
