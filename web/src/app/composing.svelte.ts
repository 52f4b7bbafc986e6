/** What the composer of a room is doing, and who asks it to: a room and a thread may be on screen. */

export type ComposerMode = { mode: 'write' } | { mode: 'reply' | 'edit'; seq: number };

const WRITING: ComposerMode = { mode: 'write' };

class ComposerHandle {
  composing = $state.raw<ComposerMode>(WRITING);
  /** Rises whenever the composer is to take the focus. */
  focusAsked = $state.raw(0);
  /** Text to put in at the caret, such as a mention; taken and cleared by the composer. */
  insertion = $state.raw<string | null>(null);

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

  /** It goes off screen. */
  end(): void {
    this.write();
    this.insertion = null;
  }
}

export type { ComposerHandle };

const handles = new Map<string, ComposerHandle>();

export function composerIn(room: string): ComposerHandle {
  const handle = handles.get(room) ?? new ComposerHandle();
  handles.set(room, handle);
  return handle;
}
