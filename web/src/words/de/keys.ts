import type { KeysWords } from '../en/keys';

export const keys: KeysWords = {
  title: 'Tastenkürzel',
  everywhere: 'Überall',
  inMessages: 'In den Nachrichten',
  inComposer: 'Beim Schreiben',
  or: 'oder',

  switcher: 'Zu einem Raum oder einer Person gehen',
  previousRoom: 'Raum darüber',
  nextRoom: 'Raum darunter',
  previousUnread: 'Ungelesener Raum darüber',
  nextUnread: 'Ungelesener Raum darunter',
  escape: 'Schließen, was offen ist, dann zur neuesten Nachricht springen',
  help: 'Diese Hilfe',

  move: 'Nachricht darüber oder darunter',
  ends: 'Erste oder letzte Nachricht auf dem Bildschirm',
  actions: 'Was du mit der Nachricht tun kannst',
  reply: 'Auf die Nachricht antworten',

  send: 'Senden',
  line: 'Neue Zeile',
  editLast: 'Deine letzte Nachricht bearbeiten, wenn nichts geschrieben ist',
  complete: 'Den Vorschlag für @, # oder : übernehmen',
  onTouch: 'Auf Touchscreens beginnt Enter eine neue Zeile.',

  formatting: 'Formatierung',
  write: 'Schreib',
  see: 'Du bekommst',
  bold: 'fett',
  italic: 'kursiv',
  struck: 'durchgestrichen',
  code: 'Code',
  block: 'einen Codeblock',
  quote: 'ein Zitat',
  list: 'eine Liste',
  link: 'einen Link',
  text: 'Text',

  names: {
    Ctrl: 'Strg',
    Alt: 'Alt',
    Shift: 'Umschalt',
    Enter: 'Enter',
    Tab: 'Tab',
    Escape: 'Esc',
    Home: 'Pos1',
    End: 'Ende',
  },
  arrows: { ArrowUp: 'Pfeil nach oben', ArrowDown: 'Pfeil nach unten' },
};
