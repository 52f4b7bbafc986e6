/** The help on keyboard shortcuts and Markdown; loaded with it. */

export const keys = {
  title: 'Keyboard shortcuts',
  everywhere: 'Everywhere',
  inMessages: 'In the messages',
  inComposer: 'While writing',
  or: 'or',

  switcher: 'Go to a room or person',
  previousRoom: 'Room above',
  nextRoom: 'Room below',
  previousUnread: 'Unread room above',
  nextUnread: 'Unread room below',
  escape: 'Close what is open, then jump to the latest message',
  help: 'This help',

  move: 'Message above or below',
  ends: 'First or last message on screen',
  actions: 'Actions for the message',
  reply: 'Reply to the message',
  react: 'React to the message',
  thread: 'Reply in its thread',

  send: 'Send',
  line: 'New line',
  editLast: 'Edit your last message, if the field is empty',
  complete: 'Accept the suggestion for @, # or :',
  onTouch: 'On touch screens, Enter starts a new line.',

  formatting: 'Formatting',
  write: 'Write',
  see: 'To get',
  keys: 'Or press',
  bold: 'bold',
  italic: 'italic',
  struck: 'strikethrough',
  code: 'code',
  block: 'a code block',
  quote: 'a quote',
  list: 'a list',
  numbers: 'a numbered list',
  tasks: 'a task list',
  spoiler: 'a spoiler, hidden until it is opened',
  table: 'a table',
  link: 'a link',
  text: 'text',

  names: {
    Ctrl: 'Ctrl',
    Alt: 'Alt',
    Shift: 'Shift',
    Enter: 'Enter',
    Tab: 'Tab',
    Escape: 'Esc',
    Home: 'Home',
    End: 'End',
  } as Record<string, string>,
  /** Announced for keys that are shown as signs. */
  arrows: { ArrowUp: 'Up arrow', ArrowDown: 'Down arrow' } as Record<string, string>,
};

export type KeysWords = typeof keys;
