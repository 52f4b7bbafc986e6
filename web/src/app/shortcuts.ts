/**
 * The global keyboard shortcuts. The help is made from the same table. The timeline and the composer
 * handle their own keys.
 */

import { dialogs, type DialogName } from './page/dialogs.svelte';
import { inOrder, isUnread, listRooms, type RoomEntry } from '../directory/listing';
import { roomRoute, router } from './router.svelte';
import { session } from './session/session.svelte';

export const isMac = /Mac|iP(hone|ad|od)/.test(navigator.platform);

/** As it is printed on the keyboards of this system. */
export const commandKey = isMac ? '⌘' : 'Ctrl';

/** `Mod` is ⌘ on a Mac, and Ctrl elsewhere. */
export const SHORTCUTS = {
  switcher: { keys: 'Mod+K', run: () => toggle('switcher') },
  previousRoom: { keys: 'Alt+ArrowUp', run: () => step(-1) },
  nextRoom: { keys: 'Alt+ArrowDown', run: () => step(1) },
  previousUnread: { keys: 'Alt+Shift+ArrowUp', run: () => step(-1, isUnread) },
  nextUnread: { keys: 'Alt+Shift+ArrowDown', run: () => step(1, isUnread) },
  help: { keys: 'Mod+/', run: () => toggle('keys') },
} as const;

export type ShortcutName = keyof typeof SHORTCUTS;

const BY_KEYS = new Map(Object.values(SHORTCUTS).map(({ keys, run }) => [keys as string, run]));

/** The key by its letter; on layouts without Latin letters, by its position. */
function keyOf({ key, code }: KeyboardEvent): string {
  if (key.length > 1) return key;
  const [, letter] = /^Key([A-Z])$/.exec(code) ?? [];
  return letter && !/[a-z]/i.test(key) ? letter : key.toUpperCase();
}

export function keysOf(event: KeyboardEvent, mac = isMac): string {
  const key = keyOf(event);
  const mod = mac ? event.metaKey && !event.ctrlKey : event.ctrlKey && !event.metaKey;
  // A sign such as / may need Shift, so Shift only counts with letters and named keys.
  const shift = event.shiftKey && (key.length > 1 || /[A-Z]/.test(key));
  return [mod && 'Mod', event.altKey && 'Alt', shift && 'Shift', key].filter(Boolean).join('+');
}

export function onKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing) return;
  const run = BY_KEYS.get(keysOf(event));
  // Alt and an arrow open a select element.
  if (!run || event.target instanceof HTMLSelectElement) return;
  event.preventDefault();
  run();
}

/**
 * The user may go on typing right after the shortcut of the switcher; those keys belong to its field.
 */
export function typeAhead(event: KeyboardEvent): void {
  if (dialogs.open !== 'switcher' || document.querySelector('dialog[open]')) return;
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.key.length > 1 && event.key !== 'Enter') return;
  event.preventDefault();
  event.stopPropagation();
  if (event.key !== 'Enter') dialogs.typedAhead += event.key;
}

/**
 * A shortcut must not discard the content of a dialog; only the switcher and the help can replace each
 * other.
 */
function isBlocked(): boolean {
  if (dialogs.open) return dialogs.open !== 'switcher' && dialogs.open !== 'keys';
  return document.querySelector('dialog[open]') !== null;
}

function toggle(name: DialogName): void {
  if (isBlocked()) return;
  if (dialogs.open === name) dialogs.close();
  else dialogs.show(name);
}

/** The next matching entry, wrapping around at the ends. */
export function nextOf(
  entries: readonly RoomEntry[],
  from: string | null,
  by: 1 | -1,
  isWanted: (entry: RoomEntry) => boolean,
): RoomEntry | null {
  const { length } = entries;
  const at = entries.findIndex(({ room }) => room === from);
  const start = at < 0 && by < 0 ? length : at;
  for (let away = 1; away <= length; away += 1) {
    const entry = entries[(start + by * away + length * 2) % length];
    if (entry && entry.room !== from && isWanted(entry)) return entry;
  }
  return null;
}

function step(by: 1 | -1, isWanted: (entry: RoomEntry) => boolean = () => true): void {
  if (dialogs.open || isBlocked()) return;
  const { route } = router;
  const from = route.at === 'room' ? route.room : null;
  const entry = nextOf(inOrder(listRooms(session.state, from)), from, by, isWanted);
  if (entry) router.go(roomRoute(entry.room));
}
