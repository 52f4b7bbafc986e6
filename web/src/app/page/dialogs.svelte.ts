/** Which dialog is open: at most one. Each is loaded when it is first opened. */

import type { Component } from 'svelte';

export type DialogName = 'switcher' | 'new-room' | 'new-direct' | 'keys' | 'sign-out';

type Props = Record<string, unknown>;

interface Other<P extends Props = Props> {
  load: () => Promise<{ default: Component<P> }>;
  props: P;
}

class Dialogs {
  open = $state.raw<DialogName | 'other' | null>(null);
  /** One that is about something, such as a message: whoever opens it knows it. */
  other = $state.raw<Other | null>(null);
  /** What was typed before the switcher was there to take it. */
  typedAhead = '';

  show(name: DialogName): void {
    this.typedAhead = '';
    this.open = name;
  }

  present<P extends Props>(load: Other<P>['load'], props: P): void {
    // Its own properties are what it is given.
    this.other = { load, props } as unknown as Other;
    this.open = 'other';
  }

  close(): void {
    this.open = null;
  }
}

export const dialogs = new Dialogs();
