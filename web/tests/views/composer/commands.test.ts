// @vitest-environment jsdom
import { describe, expect, test } from 'vitest';
import { COMMANDS, handlesIn, listCommands, parseLine } from '../../../src/views/composer/completion/commands';
import type { Me, MyRoom } from '../../../src/data/wire/protocol';
import { INITIAL, toRoomState, type State } from '../../../src/data/state/state';
import { commands as de } from '../../../src/words/de/commands';
import { commands as en } from '../../../src/words/en/commands';

const lobby: MyRoom = { room: 'lobby', kind: 'public', title: 'Lobby', role: 'member' };

function as(role: Me['role']): State {
  return { ...INITIAL, me: { name: 'ana', display_name: 'Ana', role } };
}

describe('a line that begins with a slash', () => {
  test.each([
    ['/me waves', 'me', 'waves'],
    ['/ME waves ', 'me', 'waves'],
    ['/leave', 'leave', ''],
    ['/topic\nTwo\nlines', 'topic', 'Two\nlines'],
    ['/dance', 'dance', ''],
  ])('%j is a command', (text, name, rest) => {
    expect(parseLine(text)).toEqual({ is: 'command', name, rest });
  });

  test.each([
    ['//me', '/me'],
    ['// a comment', '// a comment'],
    ['/usr/bin/python is old', '/usr/bin/python is old'],
    ['/', '/'],
    ['/ me', '/ me'],
  ])('%j says %j', (text, said) => {
    expect(parseLine(text)).toEqual({ is: 'text', text: said });
  });

  test('may contain handles and a message', () => {
    expect(handlesIn('@ana hello you')).toEqual({ names: ['ana'], text: 'hello you' });
    expect(handlesIn('ana hello')).toEqual({ names: ['ana'], text: 'hello' });
    expect(handlesIn('@ana, @bo hello')).toEqual({ names: ['ana', 'bo'], text: 'hello' });
    expect(handlesIn('@ana')).toEqual({ names: ['ana'], text: '' });
  });
});

describe('the commands', () => {
  test('are all explained in every language', () => {
    for (const { help } of [en, de]) expect(Object.keys(help)).toEqual(Object.keys(COMMANDS));
    for (const { help } of [en, de]) {
      for (const [name, { needs }] of Object.entries(COMMANDS)) {
        const [usage, does] = help[name as keyof typeof help];
        expect(does).not.toBe('');
        if (needs) expect(usage).not.toBe('');
      }
    }
  });

  test('are offered to those who may use them', () => {
    const member = listCommands(as('member'), toRoomState(lobby, 0));
    expect(member).toEqual(['me', 'shrug', 'invite', 'join', 'leave', 'direct', 'mute', 'help']);
    expect(listCommands(as('owner'), toRoomState(lobby, 0))).toContain('topic');
    expect(listCommands(as('guest'), toRoomState({ ...lobby, role: null }, 0))).toEqual(['me', 'shrug', 'help']);
    const muted = listCommands(as('member'), toRoomState({ ...lobby, notify: 'none' }, 0));
    expect(muted).toContain('unmute');
    expect(muted).not.toContain('mute');
    const direct = listCommands(as('member'), toRoomState({ ...lobby, kind: 'direct' }, 0));
    expect(direct).not.toContain('invite');
  });
});
