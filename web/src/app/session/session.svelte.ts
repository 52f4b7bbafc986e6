/** Who is here, and their chat as the views see it. */

import type { Chat, Connection } from '../../data/chat';
import { lastSession } from '../../data/storage/local';
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

/** Why nobody is signed in any more, if that needs saying. */
type SignedOutReason = 'ended' | 'ended-unsent' | 'no-guests' | 'signed-out';

/** Whoever stands at the door does not need it yet: a file of its own. */
const loadChat = () => import('../../data/chat');
/** And who is in does not need that any more. */
const loadAuth = () => import('./auth');

function fetchEarly(path: string): Promise<Response> {
  const asked = fetch(path);
  // Said by whoever reads it.
  asked.catch(() => undefined);
  return asked;
}

class Session {
  phase = $state.raw<Phase>('starting');
  /** What the server says of itself to anyone; null until it is known. */
  about = $state.raw<ServerInfo | null>(null);
  isUnreachable = $state.raw(false);
  signedOutReason = $state.raw<SignedOutReason | null>(null);
  /** Whose chat this is; a guest's begins with `~`. */
  user = $state.raw<string | null>(null);
  /** Has just got a server, and is asked what to make of it before going in. */
  newOwner = $state.raw<Me | null>(null);

  // Raw, and set at most once per frame: deep state would cost more than it saves.
  state = $state.raw<State>(INITIAL);
  pending = $state.raw<readonly Pending[]>([]);
  connection = $state.raw<Connection>({ status: 'connecting' });
  notice = $state.raw<string | null>(null);
  /** Rises when drafts come from another device. */
  draftsRevision = $state.raw(0);

  chat: Chat | null = null;
  /** Told of messages that come live, as news and not as history. */
  readonly listeners = new Set<(message: WireMessage) => void>();
  /** Came in by a form of this page just now, not by what the browser had kept. */
  justSignedIn = false;
  /** Is signing out. */
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

  /** Find out who is here: from what the browser kept, else by asking the server. */
  async start(): Promise<void> {
    if (signedOutNotice.take() && !pendingSignOut.isDue) this.signedOutReason = 'signed-out';
    try {
      const last = lastSession();
      if (last) await this.enter(last.user);
      else await this.#ask();
    } catch (error) {
      if (!(error instanceof Unreachable)) console.error(error);
      this.isUnreachable = true;
      this.phase = 'out';
    }
  }

  async #ask(): Promise<void> {
    // At once, while what reads the answers is on its way; but a sign-out that is due comes first.
    const asked = pendingSignOut.isDue ? null : { about: fetchEarly('/api/about'), mine: fetchEarly('/api/me') };
    await (await loadAuth()).restoreSession(asked);
  }

  get isGuest(): boolean {
    return this.user !== null && isGuestName(this.user);
  }

  /** The chat; only for views that are shown when somebody is signed in. */
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
    // Of course it ends when one signs out.
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

  /** The page of somebody else must not go on; and it would, if their name were kept as last. */
  async #userChanged(chat: Chat): Promise<void> {
    await chat.erase({ unsent: false });
    reload();
  }

  /** Nobody is here. */
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

  /** Views follow once per frame; a hidden page has no frames, but has a title to keep right. */
  #schedule(): void {
    const next = document.hidden ? 'moment' : 'frame';
    // A frame asked for before the page was hidden comes when it is seen again.
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
