/** The size of the screen, for what components cannot decide in CSS. */

import { MediaQuery } from 'svelte/reactivity';

const phone = new MediaQuery('(max-width: 719px)');
const wide = new MediaQuery('(min-width: 1100px)');
const touch = new MediaQuery('(pointer: coarse)');

export const layout = {
  /** One pane at a time. */
  get isPhone() {
    return phone.current;
  },
  /** The details are beside the timeline and not over it. */
  get isWide() {
    return wide.current;
  },
  /** Enter inserts a line break, and a long press opens the actions of a message. */
  get isTouch() {
    return touch.current;
  },
};
