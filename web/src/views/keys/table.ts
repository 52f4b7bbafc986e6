/** All keys there are, in groups. Those that work everywhere come from what acts on them. */

import { isMac, SHORTCUTS, type ShortcutName } from '../../app/shortcuts';
import type { KeysWords } from '../../words/en/keys';

type Does = { [Name in keyof KeysWords]: KeysWords[Name] extends string ? Name : never }[keyof KeysWords];

export interface Key {
  does: Does;
  /** Ways to press it, each of keys pressed together. */
  ways: string[][];
}

/** `Mod+K` as the keys of this system. */
export function pressed(keys: string, mac = isMac): string[] {
  const sign: Record<string, string> = mac ? { Mod: '⌘', Alt: '⌥', Shift: '⇧' } : { Mod: 'Ctrl' };
  return keys.split('+').map((key) => sign[key] ?? key);
}

const way = (does: Does, ...ways: string[]): Key => ({
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
];

export const IN_COMPOSER: Key[] = [
  way('send', 'Enter', 'Mod+Enter'),
  way('line', 'Shift+Enter'),
  way('editLast', 'ArrowUp'),
  way('complete', 'Tab', 'Enter'),
];

/** What is written, and what it is called. */
export const markdown = (t: KeysWords): [string, string][] => [
  [`**${t.text}**`, t.bold],
  [`*${t.text}*`, t.italic],
  [`~~${t.text}~~`, t.struck],
  [`\`${t.text}\``, t.code],
  [`\`\`\`\n${t.text}\n\`\`\``, t.block],
  [`> ${t.text}`, t.quote],
  [`- ${t.text}`, t.list],
  [`[${t.text}](https://…)`, t.link],
];
