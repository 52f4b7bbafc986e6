/** The suggestions for what is being typed. */

import { best, type Token } from './tokens';
import { searchEmoji, type Emoji } from '../../../emoji/emoji';
import { isGuest, may } from '../../../app/policy';
import { byTitle, isGuestName, titleOf } from '../../../directory/naming';
import { commandWords, listCommands } from './commands';
import { displayName, type RoomState, type State } from '../../../data/state/state';
import { homeOf } from '../../../data/state/thread';

export interface Option {
  readonly key: string;
  /** Replaces what was typed; a space follows. */
  readonly insert: string;
  readonly label: string;
  readonly hint: string;
  /** Something to know before choosing it. */
  readonly note: string;
}

const LIMIT = 8;

export function suggest(
  token: Token,
  state: State,
  room: RoomState,
  emoji: readonly Emoji[],
): Option[] {
  switch (token.kind) {
    case 'person':
      return people(token.query, state, room);
    case 'room':
      return rooms(token.query, state);
    case 'emoji':
      return emojiOptions(token.query, emoji);
    case 'command':
      return commands(token.query, state, room);
  }
}

/** The handles of all members; null if not all of them are known. */
export function membersOf(room: RoomState): ReadonlySet<string> | null {
  if (room.kind === 'direct') return new Set(room.people);
  return room.memberList && !room.memberList.more ? new Set(room.memberList.roles.keys()) : null;
}

function people(query: string, state: State, room: RoomState): Option[] {
  const home = homeOf(state, room);
  const members = membersOf(home);
  const spoke = new Map(room.live.messages.map((message) => [message.by, message.seq]));
  const near = new Set([...spoke.keys(), ...home.people, ...(home.memberList?.roles.keys() ?? [])]);
  // Without a query, only people of this room are suggested.
  const names = query === '' ? near : new Set([...near, ...state.people.keys()]);
  const mentionable = [...names].filter(
    (name) => name !== state.me?.name && !isGuestName(name) && !state.people.get(name)?.disabled,
  );
  const isNear = (name: string) => Number(near.has(name));
  const collator = new Intl.Collator();
  mentionable.sort(
    (a, b) =>
      isNear(b) - isNear(a) ||
      (spoke.get(b) ?? 0) - (spoke.get(a) ?? 0) ||
      collator.compare(displayName(state, a), displayName(state, b)),
  );
  const options = mentionable.map((name) => ({
    key: name,
    insert: `@${name}`,
    label: displayName(state, name),
    hint: `@${name}`,
    note: members && !members.has(name) ? commandWords().notInRoom : '',
  }));
  const everyone = may.mentionAll(state, room) ? massMentions(room) : [];
  const found = best([...options, ...everyone], query, ({ insert, label }) => [insert.slice(1), label], LIMIT);
  if (query !== '') return found;
  // People must not push these off the list.
  return [...options.slice(0, LIMIT - everyone.length), ...everyone];
}

/** Mentions of everybody; useless between two people. */
function massMentions(room: RoomState): Option[] {
  if (room.kind === 'direct' && room.people.length < 2) return [];
  const { allInRoom, allHere } = commandWords();
  const option = (insert: string, hint: string) => ({ key: insert, insert, label: insert, hint, note: '' });
  return [option('@room', allInRoom(room.members)), option('@here', allHere)];
}

function rooms(query: string, state: State): Option[] {
  const mine = [...state.rooms.values()]
    .filter((room) => room.kind !== 'direct' && !room.parent && (room.role !== null || isGuest(state)))
    .sort(byTitle(state));
  return best(mine, query, ({ title, room }) => [title, room], LIMIT).map((room) => ({
    key: room.room,
    insert: `#${room.room}`,
    label: titleOf(state, room),
    hint: room.topic,
    note: '',
  }));
}

function emojiOptions(query: string, all: readonly Emoji[]): Option[] {
  return searchEmoji(all, query, LIMIT).map(({ char, shortcodes, name }) => ({
    key: char,
    insert: char,
    label: `:${shortcodes[0] ?? name}:`,
    hint: name,
    note: '',
  }));
}

function commands(query: string, state: State, room: RoomState): Option[] {
  const { help } = commandWords();
  const found = best(listCommands(state, room), query, (name) => [name], 20);
  return found.map((name) => ({
    key: name,
    insert: `/${name}`,
    label: `/${name}`,
    hint: help[name][0],
    note: help[name][1],
  }));
}
