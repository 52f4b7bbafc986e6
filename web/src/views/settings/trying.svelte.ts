/** One form's attempt at the server: whether it runs, and what came in its way. */

import { explain } from '../../app/trouble';
import { Refused } from '../../data/protocol';

export class Trying {
  isBusy = $state(false);
  problem = $state('');

  /** Do it; the error's code if the server refused, so that the form can say where it belongs. */
  async run(what: () => Promise<void>): Promise<string | null> {
    if (this.isBusy) return null;
    this.isBusy = true;
    this.problem = '';
    try {
      await what();
      return null;
    } catch (error) {
      this.problem = explain(error);
      return error instanceof Refused ? error.code : null;
    } finally {
      this.isBusy = false;
    }
  }
}

/** As the server counts: an emoji is one character. */
export const lengthOf = (text: string): number => [...text].length;
