/** Which dialog is open: at most one. Each is loaded when it is first opened. */

export type DialogName = 'switcher' | 'new-room' | 'new-direct' | 'keys' | 'sign-out';

class Dialogs {
  open = $state.raw<DialogName | null>(null);
  /** What was typed before the switcher was there to take it. */
  typedAhead = '';

  show(name: DialogName): void {
    this.typedAhead = '';
    this.open = name;
  }

  close(): void {
    this.open = null;
  }
}

export const dialogs = new Dialogs();
