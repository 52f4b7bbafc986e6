/** The text being written in one room: its draft, or the new text of one of its messages. */

import { drafts, loadMode, loadText, saveMode, saveText } from '../../drafts/local';
import { words } from '../../words/language.svelte';
import { session } from '../../app/session/session.svelte';
import { liveRegion } from '../../app/liveRegion.svelte';
import { composerIn, type ComposerMode, type ComposerHandle } from '../../app/composing.svelte';
import { explain } from '../../app/errors';
import type { MessageKind } from '../../data/wire/protocol';
import { findMessage, type RoomState } from '../../data/state/state';

const TEXT_MAX = 16_000;
// What the server refuses and nobody sees: control characters except tab and line feed, lone
// surrogates, noncharacters.
const UNWANTED = /[\0-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]|\p{Cs}/gu;

export const removeInvalidCharacters = (text: string): string => text.replace(UNWANTED, '');

/** Counts code points, as the server does. */
export const countCodePoints = (text: string): number =>
  text.length - (text.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0);

export const textLimit = (): number => session.state.server?.limits.text ?? TEXT_MAX;

const WRITING: ComposerMode = { mode: 'write' };

export class ComposerState {
  draft = $state.raw('');
  edited = $state.raw('');
  /** Why the last attempt to send failed. */
  problem = $state.raw<string | null>(null);
  isBusy = $state.raw(false);
  /** The next reply in a thread is also posted to its room. */
  alsoInRoom = $state.raw(false);

  readonly handle: ComposerHandle;
  readonly #user = session.currentChat.user;
  #editing: number | null = null;
  /** Posts being added to the outbox. Until they are stored, the draft stays stored. */
  #postsUnderWay = 0;
  #isClosed = false;

  constructor(readonly room: string) {
    this.draft = loadText(this.#user, room, null);
    this.handle = composerIn(room);
    if (this.composing.mode === 'write') this.handle.composing = loadMode(this.#user, room);
    drafts.composers.set(room, this);
  }

  get composing(): ComposerMode {
    return this.handle.composing;
  }

  get editing(): number | null {
    return this.composing.mode === 'edit' ? this.composing.seq : null;
  }

  get text(): string {
    return this.editing === null ? this.draft : this.edited;
  }

  set text(text: string) {
    if (this.editing === null) this.draft = text;
    else this.edited = text;
    this.problem = null;
    this.keep();
  }

  /**
   * The mode changed: an edit starts with the text of the message, or with a stored draft of the edit.
   */
  follow(): void {
    if (this.#isClosed) return;
    saveMode(this.#user, this.room, this.composing);
    if (this.editing === this.#editing) return;
    this.problem = null;
    if (this.editing !== null) {
      const text = loadText(this.#user, this.room, this.editing) || this.#before(this.editing);
      this.edited = text;
      // After a reload, the message may not be loaded yet.
      if (text === '') return;
    }
    this.#editing = this.editing;
  }

  keep(): void {
    if (this.editing !== null) {
      const isChanged = this.edited !== this.#before(this.editing);
      saveText(this.#user, this.room, this.editing, isChanged ? this.edited : '');
    } else if (this.draft !== '' || this.#postsUnderWay === 0) {
      saveText(this.#user, this.room, null, this.draft);
    }
  }

  /** Cancels the edit or the reply. */
  cancel(): void {
    if (this.editing !== null) saveText(this.#user, this.room, this.editing, '');
    this.problem = null;
    this.handle.write();
  }

  /** The composer leaves the screen. */
  leave(): void {
    this.#isClosed = true;
    drafts.onLeave(this.room);
    this.handle.end();
    if (drafts.composers.get(this.room) === this) drafts.composers.delete(this.room);
  }

  replaceDraft(text: string): void {
    this.draft = text;
    this.#keepDraft();
  }

  async send(): Promise<void> {
    const text = removeInvalidCharacters(this.text);
    if (this.isBusy) return;
    if (countCodePoints(text) > textLimit()) this.problem = words().composer.tooLong(textLimit());
    else if (/@(?:room|here)/i.test(text) && !(await this.#confirmMassMention(text))) return;
    else if (this.editing !== null) await this.#save(this.editing, text);
    else if (text.trim() === '') return;
    else if (text.startsWith('/')) await this.#command(text);
    else await this.#post(text);
  }

  /** Asks before many people are notified. */
  async #confirmMassMention(text: string): Promise<boolean> {
    const before = this.editing === null ? '' : this.#before(this.editing);
    this.isBusy = true;
    try {
      const { confirmMassMention } = await import('./massMention');
      return await confirmMassMention(text, before, this.#state);
    } catch {
      // Offline the dialog may not be loaded; sending without it does no harm.
      return true;
    } finally {
      this.isBusy = false;
    }
  }

  /** `typed` is what to put back if it fails. */
  async #post(text: string, typed = text): Promise<void> {
    const { composing, alsoInRoom } = this;
    this.draft = '';
    this.alsoInRoom = false;
    this.handle.write();
    this.#postsUnderWay += 1;
    try {
      await this.#hand(text, 'text', composing, alsoInRoom);
    } catch (error) {
      console.error(error);
      this.alsoInRoom = alsoInRoom;
      this.draft = this.draft ? `${typed}\n${this.draft}` : typed;
      this.handle.composing = composing;
      this.#fail(words().composer.notKept);
    }
    this.#postsUnderWay -= 1;
    this.#keepDraft();
  }

  #hand(text: string, kind: MessageKind, composing: ComposerMode, alsoInRoom: boolean): Promise<void> {
    const replyTo = composing.mode === 'reply' ? composing.seq : null;
    return session.currentChat.post({ room: this.room, text, kind, replyTo, alsoInRoom });
  }

  async #command(text: string): Promise<void> {
    const { composing, alsoInRoom } = this;
    const room = this.#state;
    if (!room) return;
    await this.#during(async () => {
      const { parseLine, runCommand } = await import('./completion/commands');
      const line = parseLine(text);
      if (line.is === 'text') return this.#post(line.text, text);
      const problem = await runCommand(line.name, line.rest, {
        room,
        post: (posted, kind) => this.#hand(posted, kind, composing, alsoInRoom),
      });
      if (problem) {
        this.problem = problem;
        return;
      }
      this.draft = '';
      this.#keepDraft();
      if (!this.#isClosed) this.handle.write();
    });
  }

  async #save(seq: number, text: string): Promise<void> {
    if (text.trim() === '') {
      this.problem = words().composer.useDelete;
      return;
    }
    await this.#during(async () => {
      if (text !== this.#before(seq)) {
        await session.currentChat.request('edit', { room: this.room, seq, text });
      }
      saveText(this.#user, this.room, seq, '');
      if (this.editing === seq) this.handle.write();
      if (this.#isClosed) saveMode(this.#user, this.room, WRITING);
    });
  }

  async #during(what: () => Promise<void>): Promise<void> {
    this.isBusy = true;
    this.problem = null;
    try {
      await what();
    } catch (error) {
      this.#fail(explain(error));
    } finally {
      this.isBusy = false;
    }
  }

  /** Below the text, or as a toast if the composer is no longer on screen. */
  #fail(problem: string): void {
    if (this.#isClosed) liveRegion.alert(problem);
    else this.problem = problem;
  }

  #keepDraft(): void {
    saveText(this.#user, this.room, null, this.draft);
  }

  get #state(): RoomState | null {
    return session.state.rooms.get(this.room) ?? null;
  }

  #before(seq: number): string {
    const room = this.#state;
    return (room && findMessage(room, seq)?.text) ?? '';
  }
}
