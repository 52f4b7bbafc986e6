/** How much room there is, as `ui.md` divides it; components ask here what CSS cannot decide. */

import { MediaQuery } from 'svelte/reactivity';

const phone = new MediaQuery('(max-width: 719px)');
const wide = new MediaQuery('(min-width: 1100px)');
const touch = new MediaQuery('(pointer: coarse)');

export const layout = {
  /** One pane at a time. */
  get isPhone() {
    return phone.current;
  },
  /** The details stand beside the timeline, not over it. */
  get isWide() {
    return wide.current;
  },
  /** Enter breaks the line, and a long press opens a message's actions. */
  get isTouch() {
    return touch.current;
  },
};
