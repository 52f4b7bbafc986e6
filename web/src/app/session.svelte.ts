/** Who is here, and their chat as the views see it. */

import * as api from '../data/api';
import { Chat, type Connection } from '../data/chat';
import { lastSession } from '../data/local';
import type { Pending } from '../data/outbox';
import { Refused, type Me, type Message as WireMessage, type ServerInfo } from '../data/protocol';
import { INITIAL, type State } from '../data/state';

type Phase = 'starting' | 'out' | 'in';

class Session {
  phase = $state.raw<Phase>('starting');
  /** What the server says of itself to anyone; null while it cannot be reached. */
  about = $state.raw<ServerInfo | null>(null);
  /** Why nobody is signed in any more, if that needs saying. */
  ended = $state.raw<'ended' | null>(null);

  // Raw, and set at most once per frame: deep state would cost more than it saves.
  state = $state.raw<State>(INITIAL);
  pending = $state.raw<readonly Pending[]>([]);
  connection = $state.raw<Connection>({ status: 'connecting' });
  notice = $state.raw<string | null>(null);

  chat: Chat | null = null;
  heard: (message: WireMessage) => void = () => undefined;
  #scheduled = false;

  /** Find out who is here: from what the browser kept, else by asking the server. */
  async start(): Promise<void> {
    const last = lastSession();
    if (last) return this.#enter(last.user);
    const [about, mine] = await Promise.allSettled([api.about(), api.mine()]);
    this.about = about.status === 'fulfilled' ? about.value : null;
    if (mine.status === 'fulfilled') return this.#enter(mine.value.me.name);
    this.phase = 'out';
  }

  async signIn(name: string, password: string): Promise<void> {
    const { me } = await api.signIn(name, password);
    await this.#signedIn(me);
  }

  async signUp(account: api.NewAccount): Promise<void> {
    const { me } = await api.signUp(account);
    await this.#signedIn(me);
  }

  async lookIn(name?: string): Promise<void> {
    const { me } = await api.lookIn(name);
    await this.#signedIn(me);
  }

  /** Sign out here, and erase what this browser kept of the person. */
  async signOut(): Promise<void> {
    const { chat } = this;
    if (!chat) return;
    await api.signOut().catch((error: unknown) => {
      // A session that is over already is what was wanted.
      if (!(error instanceof Refused)) throw error;
    });
    await chat.erase({ unsent: true });
    this.#left(null);
  }

  /** The chat; only for views that are shown when somebody is signed in. */
  get here(): Chat {
    if (!this.chat) throw new Error('Nobody is signed in.');
    return this.chat;
  }

  async #signedIn(me: Me): Promise<void> {
    await this.#enter(me.name);
  }

  async #enter(user: string): Promise<void> {
    const chat = new Chat(user, {
      changed: () => this.#schedule(),
      notice: (text) => {
        this.notice = text;
      },
      heard: (message) => this.heard(message),
      ended: () => void this.#sessionEnded(chat),
      becameAnother: () => location.reload(),
    });
    this.chat = chat;
    this.ended = null;
    this.phase = 'in';
    await chat.start();
  }

  async #sessionEnded(chat: Chat): Promise<void> {
    await chat.erase({ unsent: false });
    this.#left('ended');
  }

  #left(ended: 'ended' | null): void {
    this.chat = null;
    this.state = INITIAL;
    this.pending = [];
    this.ended = ended;
    this.phase = 'out';
    void this.learn();
  }

  /** Ask the server about itself. */
  async learn(): Promise<void> {
    try {
      this.about = await api.about();
    } catch {
      this.about = null;
    }
  }

  /** Views follow once per frame; a hidden page has no frames, but has a title to keep right. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    if (document.hidden) setTimeout(() => this.#show(), 100);
    else requestAnimationFrame(() => this.#show());
  }

  #show(): void {
    this.#scheduled = false;
    const { chat } = this;
    if (!chat) return;
    this.state = chat.state;
    this.pending = chat.pending;
    this.connection = chat.connection;
  }
}

export const session = new Session();
