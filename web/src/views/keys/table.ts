/** All keyboard shortcuts in groups. The global ones come from the table that handles them. */

import { isMac, SHORTCUTS, type ShortcutName } from '../../app/shortcuts';
import type { KeysWords } from '../../words/en/keys';
import { KEYS, type Format } from '../composer/format/formats';

type ActionName = { [Name in keyof KeysWords]: KeysWords[Name] extends string ? Name : never }[keyof KeysWords];

export interface Key {
  does: ActionName;
  /** Alternative ways, each a list of keys pressed together. */
  ways: string[][];
}

/** `Mod+K` as keys of this system. */
export function pressed(keys: string, mac = isMac): string[] {
  const sign: Record<string, string> = mac ? { Mod: '⌘', Alt: '⌥', Shift: '⇧' } : { Mod: 'Ctrl' };
  return keys.split('+').map((key) => sign[key] ?? key);
}

const way = (does: ActionName, ...ways: string[]): Key => ({
  does,
  ways: ways.map((keys) => pressed(keys)),
});

const global = (name: ShortcutName): Key => way(name, SHORTCUTS[name].keys);

export const EVERYWHERE: Key[] = [
  ...(Object.keys(SHORTCUTS) as ShortcutName[]).map(global),
  way('escape', 'Escape'),
];

export const IN_MESSAGES: Key[] = [
  way('move', 'ArrowUp', 'ArrowDown'),
  way('ends', 'Home', 'End'),
  way('actions', 'Enter'),
  way('reply', 'R'),
  way('react', 'E'),
  way('thread', 'T'),
];

export const IN_COMPOSER: Key[] = [
  way('send', 'Enter', 'Mod+Enter'),
  way('line', 'Shift+Enter'),
  way('editLast', 'ArrowUp'),
  way('complete', 'Tab', 'Enter'),
];

interface Written {
  written: string;
  name: string;
  /** Empty: there is only the button. */
  keys: string[];
}

/** The Markdown to write, what it is called, and the shortcut for it. */
export function markdown(t: KeysWords): Written[] {
  const item = (written: string, name: string, format?: Format): Written => {
    const keys = format && KEYS[format];
    return { written, name, keys: keys ? pressed(keys) : [] };
  };
  return [
    item(`**${t.text}**`, t.bold, 'bold'),
    item(`*${t.text}*`, t.italic, 'italic'),
    item(`~~${t.text}~~`, t.struck, 'strike'),
    item(`\`${t.text}\``, t.code, 'code'),
    item(`\`\`\`\n${t.text}\n\`\`\``, t.block),
    item(`[${t.text}](https://…)`, t.link, 'link'),
    item(`> ${t.text}`, t.quote, 'quote'),
    item(`- ${t.text}`, t.list, 'bullets'),
    item(`1. ${t.text}`, t.numbers, 'numbers'),
    item(`- [ ] ${t.text}`, t.tasks),
    item(`||${t.text}||`, t.spoiler),
    item(`| a | b |\n|---|---|\n| c | d |`, t.table),
  ];
}
