// @vitest-environment jsdom
import { afterEach, describe, expect, test } from 'vitest';
import { session } from '../../../src/app/session/session.svelte';
import type { Fields, MyRoom, Presence, RoomRole } from '../../../src/data/wire/protocol';
import { Refused } from '../../../src/data/wire/errors';
import { withMyRoom, onEvent } from '../../../src/data/state/reducer';
import { INITIAL, type MemberList, type State } from '../../../src/data/state/state';
import { filterMembers, toMemberRows } from '../../../src/views/details/memberRows';
import { Roster } from '../../../src/views/details/roster.svelte';
import { roomDetails as german } from '../../../src/words/de/roomDetails';
import { roomDetails as english } from '../../../src/words/en/roomDetails';

describe('the members as a list', () => {
  const roles = new Map<string, RoomRole>([
    ['zoe', 'member'], ['bo', 'owner'], ['ana', 'member'], ['mo', 'moderator'], ['me', 'member'],
  ]);
  const people = new Map([
    ['zoe', { name: 'zoe', display_name: 'Zoë Ångström' }],
    ['ana', { name: 'ana', display_name: 'émile' }],
  ]);
  const presence = new Map<string, Presence>([['zoe', 'online'], ['mo', 'away']]);
  const known = { people, presence, me: 'me', locale: 'en' };
  const names = (rows: readonly { name: string }[]) => rows.map(({ name }) => name);

  test('begins with those who are online, each part sorted by name', () => {
    const rows = toMemberRows(roles, known);
    expect(names(rows)).toEqual(['me', 'zoe', 'mo', 'bo', 'ana']);
    expect(rows.map((row) => row.presence)).toEqual(['online', 'online', 'away', 'offline', 'offline']);
    expect(rows.at(-1)?.shown).toBe('émile');
  });

  test('has no presence in a large room, and is sorted by name only', () => {
    const rows = toMemberRows(roles, { ...known, presence: null });
    expect(names(rows)).toEqual(['bo', 'ana', 'me', 'mo', 'zoe']);
    expect(rows.every((row) => row.presence === null)).toBe(true);
  });

  test('can be searched by names and handles, ignoring case and accents', () => {
    const rows = toMemberRows(roles, known);
    for (const wanted of ['zoe ang', 'ZOË', '@zoe', ' oe ']) {
      expect(names(filterMembers(rows, wanted))).toEqual(['zoe']);
    }
    expect(filterMembers(rows, '  ')).toBe(rows);
    expect(filterMembers(rows, 'nobody')).toEqual([]);
  });
});

describe('loading the members', () => {
  afterEach(() => {
    session.chat = null;
  });

  /** A server with that many members, which answers one page at a time. */
  function joined(count: number) {
    let mrev = 1;
    const wire: MyRoom = { room: 'tea', kind: 'public', title: 'Tea', members: count, mrev };
    const all = Array.from({ length: count }, (_, n) => `p${String(n).padStart(4, '0')}`);
    const chat = {
      state: withMyRoom(INITIAL, wire, 1) as State,
      asked: [] as string[],
      /** Somebody joined and somebody left, and only their number is sent. */
      change() {
        mrev += 2;
        this.state = onEvent(this.state, { on: 'member', room: 'tea', mrev, members: count }, 0);
      },
      async request(_command: 'members', { after }: Fields<'members'>) {
        this.asked.push(after ?? '');
        await Promise.resolve();
        const page = all.filter((name) => name > (after ?? ''));
        const members = page.slice(0, 100).map((name) => ({ name, display_name: name }));
        return { members, mrev, more: page.length > 100 };
      },
      update(how: (state: State) => State) {
        this.state = how(this.state);
      },
    };
    session.chat = chat as never;
    return { chat, list: () => chat.state.rooms.get('tea')?.memberList as MemberList };
  }

  test('loads all of them in rooms with individual events', async () => {
    const { chat, list } = joined(150);
    await new Roster('tea').load();
    expect(chat.asked).toEqual(['', 'p0099']);
    expect(list().roles.size).toBe(150);
    expect(list().more).toBe(false);
  });

  test('loads large lists page by page, and again as far as they were shown', async () => {
    const { chat, list } = joined(450);
    const roster = new Roster('tea');
    await roster.load();
    expect(list().roles.size).toBe(100);
    expect(roster.restMs).toBeGreaterThan(0);
    await roster.more();
    await roster.more();
    expect(list().roles.size).toBe(300);
    chat.asked = [];
    await roster.load();
    expect(chat.asked).toEqual([]);
    chat.change();
    await roster.load();
    expect(chat.asked).toEqual(['', 'p0099', 'p0199']);

    for (let page = 0; page < 9; page += 1) await roster.more();
    expect(chat.asked).toEqual(['', 'p0099', 'p0199', 'p0299', 'p0399']);
  });

  test('sends one request at a time; a failure is shown and can be retried', async () => {
    const { chat } = joined(50);
    const roster = new Roster('tea');
    await Promise.all([roster.load(), roster.load()]);
    expect(chat.asked).toEqual(['']);
    const { request } = chat;
    chat.change();
    chat.request = () => Promise.reject(new Refused({ code: 'internal', message: 'No.' }));
    await roster.load();
    expect(roster.problem).toBe('No.');
    expect(roster.busy).toBe(false);
    chat.request = request;
    await roster.load();
    expect(roster.problem).toBeNull();
    expect(chat.asked).toEqual(['', '']);
  });
});

test('both languages have every sentence, and insert its values', () => {
  expect(Object.keys(german)).toEqual(Object.keys(english));
  for (const words of [english, german]) {
    for (const [key, said] of Object.entries(words)) {
      if (typeof said === 'string') expect(said.trim(), key).not.toBe('');
    }
    expect(words.added(1)).toContain('1');
    expect(words.searchedFirst(1_000)).toMatch(/1[.,]000/u);
    expect(words.notAdded('Ana', 'No.')).toMatch(/Ana.*No\./u);
    expect(words.deleteField('Tea')).toContain('Tea');
    expect(words.roleChanged.owner('Ana')).toContain('Ana');
  }
});
