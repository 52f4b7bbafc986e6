/** Whether the toolbar is shown: on this device, in all rooms. */

import { storeItem } from '../../../data/storage/local';

const KEY = 'hubbub.formatting';

class Toolbar {
  isShown = $state(localStorage.getItem(KEY) === 'shown');

  toggle(): void {
    this.isShown = !this.isShown;
    storeItem(KEY, this.isShown ? 'shown' : 'hidden');
  }
}

export const toolbar = new Toolbar();
