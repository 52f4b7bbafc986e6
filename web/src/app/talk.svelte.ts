/** What the composer of the room on screen is doing, and who asks it to. */

export type Composing = { mode: 'write' } | { mode: 'reply' | 'edit'; seq: number };

const WRITING: Composing = { mode: 'write' };

class Talk {
  room = $state.raw<string | null>(null);
  composing = $state.raw<Composing>(WRITING);
  /** Rises whenever the composer is to take the focus. */
  focusAsked = $state.raw(0);
  /** Text to put in at the caret, such as a mention; taken and cleared by the composer. */
  insertion = $state.raw<string | null>(null);

  /** A room comes on screen. */
  enter(room: string | null): void {
    if (this.room === room) return;
    this.room = room;
    this.composing = WRITING;
    this.insertion = null;
  }

  reply(seq: number): void {
    this.composing = { mode: 'reply', seq };
    this.focus();
  }

  edit(seq: number): void {
    this.composing = { mode: 'edit', seq };
    this.focus();
  }

  /** Back to writing something new. */
  write(): void {
    this.composing = WRITING;
  }

  insert(text: string): void {
    this.insertion = text;
    this.focus();
  }

  focus(): void {
    this.focusAsked += 1;
  }
}

export const talk = new Talk();
