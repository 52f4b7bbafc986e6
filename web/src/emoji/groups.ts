/** The groups of the picker in order, each with its icon. */

import { Apple, Flag, Hash, Leaf, Lightbulb, Plane, Smile, Trophy, User } from 'lucide';
import type { Emoji } from './emoji';

export interface Group {
  key: string;
  name: string;
  list: readonly Emoji[];
}

/** By emojibase's number; skin tones (2) are left out. */
export const ICONS = [
  { group: 0, icon: Smile },
  { group: 1, icon: User },
  { group: 3, icon: Leaf },
  { group: 4, icon: Apple },
  { group: 5, icon: Plane },
  { group: 6, icon: Trophy },
  { group: 7, icon: Lightbulb },
  { group: 8, icon: Hash },
  { group: 9, icon: Flag },
] as const;
