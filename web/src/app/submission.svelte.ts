/** The submission of a form: whether it is running, and why it failed. */

import { tick } from 'svelte';
import { Refused } from '../data/wire/errors';
import { explain } from './errors';

export class Submission {
  isBusy = $state(false);
  problem = $state('');

  constructor(private readonly say: (error: unknown) => string = explain) {}

  /**
   * Runs it. If the server refuses, returns the error code, so that the form can show it at the right
   * field.
   */
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

/** Focuses the first invalid field once the form shows it. Returns whether there is one. */
export async function focusInvalid(form: HTMLElement): Promise<boolean> {
  await tick();
  const wrong = form.querySelector<HTMLElement>('[aria-invalid="true"]');
  wrong?.focus();
  return wrong !== null;
}

/** Length as the server counts it: an emoji of one code point is one character. */
export const countCodePoints = (text: string): number => [...text].length;
