/** Reads live messages of the room on screen out to screen readers, at a rate that one can follow. */

const WITHIN_MS = 2_000;
const AT_MOST = 3;
const TEXT_MAX = 300;

export interface Announcement {
  kind: 'text' | 'me';
  name: string;
  text: string;
}

export interface AnnouncerOutput {
  say(text: string): void;
  /** `one` makes a sentence of one message; `many` gives only their number. */
  one(heard: Announcement): string;
  many(count: number): string;
}

/**
 * Announces the first message at once. Messages of the following two seconds are collected and then
 * read out together, or only counted if there are too many.
 */
export class Announcer {
  #gathered: Announcement[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #last = '';

  constructor(private readonly voice: AnnouncerOutput) {}

  add(heard: Announcement): void {
    if (this.#timer) {
      this.#gathered.push(heard);
      return;
    }
    this.#say(this.#sentence(heard));
    this.#timer = setTimeout(() => this.#flush(), WITHIN_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#gathered = [];
  }

  #flush(): void {
    const gathered = this.#gathered;
    this.stop();
    if (gathered.length === 0) return;
    if (gathered.length > AT_MOST) this.#say(this.voice.many(gathered.length));
    else this.#say(gathered.map((heard) => this.#sentence(heard)).join('\n'));
    this.#timer = setTimeout(() => this.#flush(), WITHIN_MS);
  }

  #sentence(heard: Announcement): string {
    const isLong = heard.text.length > TEXT_MAX;
    return this.voice.one(isLong ? { ...heard, text: `${heard.text.slice(0, TEXT_MAX)}…` } : heard);
  }

  #say(text: string): void {
    // Screen readers do not announce the same text twice.
    this.#last = text === this.#last ? `${text}\u00a0` : text;
    this.voice.say(this.#last);
  }
}
