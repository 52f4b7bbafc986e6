/**
 * What the composer of each room is doing, and requests to it from other views. A room and a thread can
 * be on screen at the same time, each with its own composer.
 */

export type ComposerMode = { mode: 'write' } | { mode: 'reply' | 'edit'; seq: number };

const WRITING: ComposerMode = { mode: 'write' };

class ComposerHandle {
  composing = $state.raw<ComposerMode>(WRITING);
  /** Increased whenever the composer should take the focus. */
  focusRequests = $state.raw(0);
  /** Text to insert at the caret, such as a mention. The composer inserts it and clears this field. */
  insertion = $state.raw<string | null>(null);

  reply(seq: number): void {
    this.composing = { mode: 'reply', seq };
    this.focus();
  }

  edit(seq: number): void {
    this.composing = { mode: 'edit', seq };
    this.focus();
  }

  /** Back to writing a new message. */
  write(): void {
    this.composing = WRITING;
  }

  insert(text: string): void {
    this.insertion = text;
    this.focus();
  }

  focus(): void {
    this.focusRequests += 1;
  }

  /** The composer leaves the screen. */
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
