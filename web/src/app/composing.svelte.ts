/** What the composer of a room is doing, and who asks it to: a room and a thread may be on screen. */

export type Composing = { mode: 'write' } | { mode: 'reply' | 'edit'; seq: number };

const WRITING: Composing = { mode: 'write' };

class Talk {
  composing = $state.raw<Composing>(WRITING);
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

export type { Talk };

const talks = new Map<string, Talk>();

export function talkIn(room: string): Talk {
  const talk = talks.get(room) ?? new Talk();
  talks.set(room, talk);
  return talk;
}
