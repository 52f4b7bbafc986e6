/** Who is signed in, and the state of their chat for the views. */

import type { Chat, Connection } from '../../data/chat';
import { loadLastSession } from '../../data/storage/local';
import type { Pending } from '../../data/storage/outbox';
import type { Me, Message as WireMessage, ServerInfo } from '../../data/wire/protocol';
import { Unreachable } from '../../data/wire/errors';
import type { SessionEnd } from '../../data/wire/socket';
import { INITIAL, type State } from '../../data/state/state';
import { dialogs } from '../page/dialogs.svelte';
import { signedOutNotice, pendingSignOut, onOtherTab } from './leaving';
import { isGuestName } from '../../directory/naming';
import { reload } from '../page/reload';

type Phase = 'starting' | 'out' | 'in';

/** Why nobody is signed in any more, if that needs an explanation. */
type SignedOutReason = 'ended' | 'ended-unsent' | 'no-guests' | 'signed-out';

// Separate chunks: the sign-in page does not need the chat, and a signed-in user not the sign-in code.
const loadChat = () => import('../../data/chat');
const loadAuth = () => import('./auth');

function fetchEarly(path: string): Promise<Response> {
  const response = fetch(path);
  // The caller that awaits the response reports the error.
  response.catch(() => undefined);
  return response;
}

class Session {
  phase = $state.raw<Phase>('starting');
  /** The public information about the server; null until it is known. */
  about = $state.raw<ServerInfo | null>(null);
  isUnreachable = $state.raw(false);
  signedOutReason = $state.raw<SignedOutReason | null>(null);
  /** The handle of the user; that of a guest begins with `~`. */
  user = $state.raw<string | null>(null);
  /** Set while the first owner sets up the server. */
  newOwner = $state.raw<Me | null>(null);

  // Raw, and set at most once per frame, because deep reactivity would be too expensive.
  state = $state.raw<State>(INITIAL);
  pending = $state.raw<readonly Pending[]>([]);
  connection = $state.raw<Connection>({ status: 'connecting' });
  notice = $state.raw<string | null>(null);
  /** Increased when drafts arrive from another device. */
  draftsRevision = $state.raw(0);

  chat: Chat | null = null;
  /** Called with live messages, but not with those from history. */
  readonly listeners = new Set<(message: WireMessage) => void>();
  /** Signed in with a form of this page, and not restored from the browser. */
  justSignedIn = false;
  isSigningOut = false;
  #scheduled: 'frame' | 'moment' | null = null;

  constructor() {
    onOtherTab({
      left: reload,
      entered: () => {
        if (this.phase === 'out' && !this.newOwner) void this.start();
      },
    });
  }

  /** Finds out who is signed in: from the browser's storage, otherwise from the server. */
  async start(): Promise<void> {
    if (signedOutNotice.take() && !pendingSignOut.isDue) this.signedOutReason = 'signed-out';
    try {
      const last = loadLastSession();
      if (last) await this.enter(last.user);
      else await this.#ask();
    } catch (error) {
      if (!(error instanceof Unreachable)) console.error(error);
      this.isUnreachable = true;
      this.phase = 'out';
    }
  }

  async #ask(): Promise<void> {
    // Start the requests while the code that reads the answers is loading, unless a sign-out has to be
    // sent first.
    const early = pendingSignOut.isDue ? null : { about: fetchEarly('/api/about'), mine: fetchEarly('/api/me') };
    await (await loadAuth()).restoreSession(early);
  }

  get isGuest(): boolean {
    return this.user !== null && isGuestName(this.user);
  }

  /** The chat. Only for views that are shown while somebody is signed in; throws otherwise. */
  get currentChat(): Chat {
    if (!this.chat) throw new Error('Nobody is signed in.');
    return this.chat;
  }

  async enter(user: string): Promise<void> {
    const module = await loadChat();
    const chat = new module.Chat(user, {
      changed: () => this.#schedule(),
      notice: (text) => {
        this.notice = text;
      },
      heard: (message) => this.listeners.forEach((listen) => listen(message)),
      ended: (sessionEnd) => void this.#ended(chat, sessionEnd),
      userChanged: () => void this.#userChanged(chat),
    });
    this.reset();
    this.chat = chat;
    this.user = user;
    this.phase = 'in';
    await chat.start();
  }

  async #ended(chat: Chat, sessionEnd: SessionEnd): Promise<void> {
    // Expected while signing out.
    if (this.isSigningOut) return;
    const hasUnsent = chat.pending.some((item) => !item.sent);
    await chat.erase({ unsent: false });
    if (chat !== this.chat) return;
    const { server } = chat.state;
    this.reset();
    this.about = server;
    this.signedOutReason = sessionEnd === 'policy' ? 'no-guests' : hasUnsent ? 'ended-unsent' : 'ended';
    this.phase = 'out';
    loadAuth().then(
      ({ refreshServerInfo }) => refreshServerInfo(),
      () => (this.isUnreachable = true),
    );
  }

  /** Reload the page for the new user; the old name must not stay stored as the last one. */
  async #userChanged(chat: Chat): Promise<void> {
    await chat.erase({ unsent: false });
    reload();
  }

  /** Forgets the user. */
  reset(): void {
    this.chat = null;
    this.user = null;
    this.newOwner = null;
    this.state = INITIAL;
    this.pending = [];
    this.connection = { status: 'connecting' };
    this.notice = null;
    this.signedOutReason = null;
    this.isUnreachable = false;
    dialogs.close();
  }

  /**
   * Updates the views once per frame. A hidden page gets no frames, but its title has to stay right.
   */
  #schedule(): void {
    const next = document.hidden ? 'moment' : 'frame';
    // A frame requested before the page was hidden comes only when it is visible again.
    if (this.#scheduled === next || this.#scheduled === 'moment') return;
    this.#scheduled = next;
    if (next === 'moment') setTimeout(() => this.#show(), 100);
    else requestAnimationFrame(() => this.#show());
  }

  #show(): void {
    this.#scheduled = null;
    const { chat } = this;
    if (!chat) return;
    this.state = chat.state;
    this.pending = chat.pending;
    this.connection = chat.connection;
  }
}

export const session = new Session();
