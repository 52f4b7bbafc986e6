import { pluralIn } from '../plural';

const plural = pluralIn('en');

export const composer = {
  messageRoom: (title: string) => `Message #${title}`,
  messagePerson: (name: string) => `Message ${name}`,
  send: 'Send',
  emoji: 'Emoji',
  editing: 'Editing message',
  replyingTo: (name: string) => `Replying to ${name}`,
  replying: 'Replying to a message',
  wasDeleted: 'This message was deleted.',
  useDelete: 'A message cannot be empty. To remove it, choose Delete in its menu.',
  left: (count: number) => plural(count, { one: '# character left', other: '# characters left' }),
  over: (count: number) =>
    plural(count, { one: '# character too many', other: '# characters too many' }),
  tooLong: (limit: number) =>
    plural(limit, { other: 'A message has at most # characters. Shorten it, or send it in parts.' }),
  notKept: 'Your browser could not store this message, so it was not sent. Try again.',
  joinToWrite: 'Join to write in this room.',
  join: 'Join',
  archived: 'This room is archived. You can read it, but nobody can write here any more.',
  oneTypes: (name: string) => `${name} is typing…`,
  twoType: (name: string, other: string) => `${name} and ${other} are typing…`,
  manyType: 'Several people are typing…',
};
