/** The open dialog. There is at most one; each is loaded when it is first opened. */

import type { Component } from 'svelte';

export type DialogName = 'switcher' | 'new-room' | 'new-direct' | 'keys' | 'sign-out';

type Props = Record<string, unknown>;

interface CustomDialog<P extends Props = Props> {
  load: () => Promise<{ default: Component<P> }>;
  props: P;
}

class Dialogs {
  open = $state.raw<DialogName | 'custom' | null>(null);
  /** A dialog about something, such as a message; the caller provides its component and props. */
  custom = $state.raw<CustomDialog | null>(null);
  /** The text that the user typed before the switcher was loaded. */
  typedAhead = '';

  show(name: DialogName): void {
    this.typedAhead = '';
    this.open = name;
  }

  showCustom<P extends Props>(load: CustomDialog<P>['load'], props: P): void {
    // The component accepts exactly these props.
    this.custom = { load, props } as unknown as CustomDialog;
    this.open = 'custom';
  }

  close(): void {
    this.open = null;
  }
}

export const dialogs = new Dialogs();
