/** Completion and slash commands; loaded when they are first used. */

import { pluralIn } from '../plural';

const plural = pluralIn('en');
const listed = (names: readonly string[]) => new Intl.ListFormat('en').format(names);

export type CommandName =
  | 'me'
  | 'shrug'
  | 'topic'
  | 'invite'
  | 'join'
  | 'leave'
  | 'direct'
  | 'mute'
  | 'unmute'
  | 'help';

/** The arguments of the command, and what it does. */
type Help = readonly [usage: string, does: string];

const help: Record<CommandName, Help> = {
  me: ['text', 'Describe what you are doing'],
  shrug: ['text', 'Add ¯\\_(ツ)_/¯'],
  topic: ['text', 'Set the topic of this room'],
  invite: ['@name', 'Add somebody to this room'],
  join: ['#room', 'Join a room, or go to it'],
  leave: ['', 'Leave this room'],
  direct: ['@name text', 'Send a direct message'],
  mute: ['', 'Mute this room'],
  unmute: ['', 'Unmute this room'],
  help: ['', 'Show the keyboard shortcuts'],
};

export const commands = {
  suggestions: 'Suggestions',
  notInRoom: 'not in this room',
  allInRoom: (count: number) =>
    plural(count, { one: 'Notifies # member of this room', other: 'Notifies all # members of this room' }),
  allHere: 'Notifies everybody who is online now',
  noCommand: (name: string) =>
    `There is no command /${name}. To send this as a message, begin it with two slashes.`,
  notHere: (name: string) => `You cannot use /${name} here.`,
  usage: (name: string, usage: string) => `Write it like this: /${name} ${usage}`,
  invited: (names: readonly string[]) => `Added: ${listed(names)}`,
  muted: 'This room is muted.',
  unmuted: 'This room is no longer muted.',
  help,
};

export type CommandWords = typeof commands;
