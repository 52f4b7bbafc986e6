import type { CommandWords } from '../en/commands';
import { pluralIn } from '../plural';

const plural = pluralIn('de');
const listed = (names: readonly string[]) => new Intl.ListFormat('de').format(names);

export const commands: CommandWords = {
  suggestions: 'Vorschläge',
  notInRoom: 'nicht in diesem Raum',
  allInRoom: (count) =>
    plural(count, {
      one: 'Benachrichtigt # Mitglied dieses Raums',
      other: 'Benachrichtigt alle # Mitglieder dieses Raums',
    }),
  allHere: 'Benachrichtigt alle, die gerade online sind',
  noCommand: (name) =>
    `Den Befehl /${name} gibt es nicht. Um das als Nachricht zu senden, beginne mit zwei Schrägstrichen.`,
  notHere: (name) => `/${name} kannst du hier nicht benutzen.`,
  usage: (name, usage) => `Schreib es so: /${name} ${usage}`,
  invited: (names) => `Hinzugefügt: ${listed(names)}`,
  muted: 'Dieser Raum ist stummgeschaltet.',
  unmuted: 'Dieser Raum ist nicht mehr stummgeschaltet.',
  help: {
    me: ['Text', 'Beschreib, was du gerade tust'],
    shrug: ['Text', '¯\\_(ツ)_/¯ anhängen'],
    topic: ['Text', 'Das Thema dieses Raums festlegen'],
    invite: ['@Name', 'Jemanden zu diesem Raum hinzufügen'],
    join: ['#Raum', 'Einem Raum beitreten oder zu ihm gehen'],
    leave: ['', 'Diesen Raum verlassen'],
    direct: ['@Name Text', 'Eine Direktnachricht senden'],
    mute: ['', 'Diesen Raum stummschalten'],
    unmute: ['', 'Stummschaltung dieses Raums aufheben'],
    help: ['', 'Die Tastenkürzel anzeigen'],
  },
};
