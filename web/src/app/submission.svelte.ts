/** One form's attempt at the server: whether it runs, and what came in its way. */

import { tick } from 'svelte';
import { Refused } from '../data/wire/errors';
import { explain } from './errors';

export class Submission {
  isBusy = $state(false);
  problem = $state('');

  constructor(private readonly say: (error: unknown) => string = explain) {}

  /** Do it; the error's code if the server refused, so that the form can say where it belongs. */
  async run(what: () => Promise<void>): Promise<string | null> {
    if (this.isBusy) return null;
    this.isBusy = true;
    this.problem = '';
    try {
      await what();
      return null;
    } catch (error) {
      this.problem = this.say(error);
      return error instanceof Refused ? error.code : null;
    } finally {
      this.isBusy = false;
    }
  }
}

/** Once the form shows what is wrong: to the first place to mend it. Whether there is one. */
export async function focusInvalid(form: HTMLElement): Promise<boolean> {
  await tick();
  const wrong = form.querySelector<HTMLElement>('[aria-invalid="true"]');
  wrong?.focus();
  return wrong !== null;
}

/** As the server counts: an emoji is one character. */
export const countCodePoints = (text: string): number => [...text].length;
