import type { CommandWords } from '../en/commands';
import { pluralIn } from '../plural';

const plural = pluralIn('de');
const listed = (names: readonly string[]) => new Intl.ListFormat('de').format(names);

export const commands: CommandWords = {
  suggestions: 'Vorschläge',
  notInRoom: 'nicht in diesem Raum',
  allInRoom: (count) =>
    plural(count, {
      one: 'Sagt es # Mitglied dieses Raums',
      other: 'Sagt es allen # Mitgliedern dieses Raums',
    }),
  allHere: 'Sagt es denen, die gerade da sind',
  noCommand: (name) =>
    `Den Befehl /${name} gibt es nicht. Um das als Nachricht zu senden, beginne mit zwei Schrägstrichen.`,
  notHere: (name) => `/${name} kannst du hier nicht benutzen.`,
  usage: (name, usage) => `Schreib es so: /${name} ${usage}`,
  invited: (names) => `Eingeladen: ${listed(names)}`,
  muted: 'Dieser Raum ist stummgeschaltet.',
  unmuted: 'Dieser Raum ist nicht mehr stummgeschaltet.',
  help: {
    me: ['Text', 'Sag, was du gerade tust'],
    shrug: ['Text', '¯\\_(ツ)_/¯ anhängen'],
    topic: ['Text', 'Sag, worum es in diesem Raum geht'],
    invite: ['@Name', 'Jemanden in diesen Raum holen'],
    join: ['#Raum', 'Einem Raum beitreten oder zu ihm gehen'],
    leave: ['', 'Diesen Raum verlassen'],
    direct: ['@Name Text', 'Jemandem allein schreiben'],
    mute: ['', 'Diesen Raum stummschalten'],
    unmute: ['', 'Wieder von diesem Raum hören'],
    help: ['', 'Die Tastenkürzel zeigen'],
  },
};
