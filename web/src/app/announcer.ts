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
  one(announcement: Announcement): string;
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

  add(announcement: Announcement): void {
    if (this.#timer) {
      this.#gathered.push(announcement);
      return;
    }
    this.#say(this.#sentence(announcement));
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
    else this.#say(gathered.map((announcement) => this.#sentence(announcement)).join('\n'));
    this.#timer = setTimeout(() => this.#flush(), WITHIN_MS);
  }

  #sentence(announcement: Announcement): string {
    const isLong = announcement.text.length > TEXT_MAX;
    const text = isLong ? `${announcement.text.slice(0, TEXT_MAX)}…` : announcement.text;
    return this.voice.one({ ...announcement, text });
  }

  #say(text: string): void {
    // Screen readers do not announce the same text twice.
    this.#last = text === this.#last ? `${text}\u00a0` : text;
    this.voice.say(this.#last);
  }
}
