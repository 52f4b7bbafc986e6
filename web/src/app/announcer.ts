/** Reads out what comes live in the room on screen, and not more than one can listen to. */

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
  /** One message as a sentence; and how many there are, if they are too many. */
  one(heard: Announcement): string;
  many(count: number): string;
}

/**
 * The first message is read at once. Those that follow within two seconds are gathered, and then
 * read one after the other, or only counted.
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
    // A region that says the same as before says nothing.
    this.#last = text === this.#last ? `${text}\u00a0` : text;
    this.voice.say(this.#last);
  }
}
