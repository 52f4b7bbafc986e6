/** The slash commands, in one table. */

import { openDirect, leaveRoom } from '../../../data/requests';
import type { MessageKind } from '../../../data/wire/protocol';
import type { RoomState, State } from '../../../data/state/state';
import { commands as de } from '../../../words/de/commands';
import { commands as en, type CommandName, type CommandWords } from '../../../words/en/commands';
import { dialogs } from '../../../app/page/dialogs.svelte';
import { language, type Language } from '../../../words/language.svelte';
import { isGuest, may } from '../../../app/policy';
import { titleOf } from '../../../directory/naming';
import { roomRoute, router } from '../../../app/router.svelte';
import { session } from '../../../app/session/session.svelte';
import { liveRegion } from '../../../app/liveRegion.svelte';

export type { CommandName };

const WORDS: Record<Language, CommandWords> = { en, de };

export const commandWords = (): CommandWords => WORDS[language.current];

export type ParsedLine =
  | { is: 'text'; text: string }
  /** `name` is as typed, and may not exist. */
  | { is: 'command'; name: string; rest: string };

/** Parses a text that begins with a slash; `//text` means "/text", and a path is not a command. */
export function parseLine(text: string): ParsedLine {
  if (/^\/\/\S/.test(text)) return { is: 'text', text: text.slice(1) };
  const [, name, rest = ''] = /^\/([a-z]+)(?:\s+([^]*))?$/i.exec(text) ?? [];
  return name ? { is: 'command', name: name.toLowerCase(), rest: rest.trim() } : { is: 'text', text };
}

/** The handles at the beginning and the rest; in `@ana, bo hello` only the first is one. */
export function handlesIn(rest: string): { names: string[]; text: string } {
  const [, first = ''] = /^((?:@\S+[\s,]*)+|\S+)/.exec(rest) ?? [];
  const names = first.split(/[\s,]+/).map((name) => name.replace(/^@/, ''));
  return { names: names.filter(Boolean), text: rest.slice(first.length).trim() };
}

export interface Context {
  room: RoomState;
  post: (text: string, kind: MessageKind) => Promise<void>;
}

interface Command {
  /** Whether it needs an argument. */
  needs: boolean;
  may: (state: State, room: RoomState) => boolean;
  /** May throw a refusal of the server. Returns a sentence if it was not executed. */
  run: (rest: string, context: Context) => Promise<string | void>;
}

const always = () => true;
const isMember = (_: State, room: RoomState) => room.role !== null && room.parent === null;
const hasAccount = (state: State) => !isGuest(state);

export const COMMANDS: Record<CommandName, Command> = {
  me: {
    needs: true,
    may: always,
    run: (rest, { post }) => post(rest, 'me'),
  },
  shrug: {
    needs: false,
    may: always,
    // Its arms are Markdown characters.
    run: (rest, { post }) => post(`${rest} ¯\\\\\\_(ツ)\\_/¯`.trim(), 'text'),
  },
  topic: {
    needs: true,
    may: (state, room) => room.parent === null && may.updateRoom(state, room),
    run: async (topic, { room: { room } }) => {
      await session.currentChat.request('update_room', { room, topic });
    },
  },
  invite: {
    needs: true,
    may: (_, room) => room.parent === null && may.invite(room),
    run: async (rest, { room: { room } }) => {
      const { names } = handlesIn(rest);
      for (const user of names) await session.currentChat.request('invite', { room, user });
      liveRegion.show(commandWords().invited(names));
    },
  },
  join: {
    needs: true,
    may: hasAccount,
    run: async (rest) => {
      const wanted = rest.replace(/^#/, '');
      const known = findRoom(session.state, wanted);
      const room = known?.room ?? wanted.toLowerCase();
      if (known?.role == null) await session.currentChat.join(room);
      router.go(roomRoute(room));
    },
  },
  leave: {
    needs: false,
    may: isMember,
    run: async (_, { room }) => {
      await leaveRoom(session.currentChat, room.room);
      router.go({ at: 'home' });
    },
  },
  direct: {
    needs: true,
    may: hasAccount,
    run: async (rest) => {
      const { names, text } = handlesIn(rest);
      const room = await openDirect(session.currentChat, names);
      if (text) await session.currentChat.post({ room, text, kind: 'text', replyTo: null });
      router.go(roomRoute(room));
    },
  },
  mute: {
    needs: false,
    may: (state, room) => isMember(state, room) && room.notify !== 'none',
    run: async (_, { room: { room } }) => {
      await session.currentChat.request('prefs', { room, notify: 'none' });
      liveRegion.show(commandWords().muted);
    },
  },
  unmute: {
    needs: false,
    may: (state, room) => isMember(state, room) && room.notify === 'none',
    run: async (_, { room: { room } }) => {
      await session.currentChat.request('prefs', { room, notify: 'all' });
      liveRegion.show(commandWords().unmuted);
    },
  },
  help: {
    needs: false,
    may: always,
    run: async () => dialogs.show('keys'),
  },
};

/** The commands that the user may use in this room. */
export function listCommands(state: State, room: RoomState): CommandName[] {
  return (Object.keys(COMMANDS) as CommandName[]).filter((name) => COMMANDS[name].may(state, room));
}

const isCommand = (name: string): name is CommandName => Object.hasOwn(COMMANDS, name);

/** Executes it. Returns a sentence if it was not executed; throws what the server refuses. */
export async function runCommand(name: string, rest: string, context: Context): Promise<string | void> {
  const t = commandWords();
  if (!isCommand(name)) return t.noCommand(name);
  const command = COMMANDS[name];
  if (!command.may(session.state, context.room)) return t.notHere(name);
  if (command.needs && !rest) return t.usage(name, t.help[name][0]);
  return command.run(rest, context);
}

/** By its id or its title. */
function findRoom(state: State, wanted: string): RoomState | null {
  const name = wanted.toLowerCase();
  const isIt = (room: RoomState) => titleOf(state, room).toLowerCase() === name;
  const rooms = [...state.rooms.values()].filter(({ parent }) => parent === null);
  return rooms.find(({ room }) => room === name) ?? rooms.find(isIt) ?? null;
}
