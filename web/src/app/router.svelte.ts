/** The current place in the client, kept in the address so that Back, reload and links work. */

import { threadId, threadOf } from '../data/state/thread';

export const SECTIONS = [
  'profile',
  'password',
  'devices',
  'appearance',
  'blocked',
  'server',
  'people',
  'invites',
  'about',
] as const;
export type Section = (typeof SECTIONS)[number];

export type Route =
  /** The list of rooms; on wide screens with the last room beside it. */
  | { at: 'home' }
  | { at: 'sign-in' }
  | { at: 'sign-up'; invite: string | null }
  /** A room, optionally at a message, with its details open, or with a thread beside it. */
  | { at: 'room'; room: string; seq: number | null; details: boolean; thread?: ThreadRoute }
  /** All public rooms, followed threads, mentions, saved messages. */
  | { at: 'browse' | 'threads' | 'mentions' | 'saved' }
  /** Null: the list of sections; on wide screens with the first section beside it. */
  | { at: 'settings'; section: Section | null };

export interface ThreadRoute {
  /** The message that the thread belongs to. */
  root: number;
  /** The reply to scroll to. */
  seq: number | null;
}

/** For a thread: its room with the thread beside it. */
export function roomRoute(room: string, seq: number | null = null): Route {
  const found = threadOf(room);
  if (!found) return { at: 'room', room, seq, details: false };
  const thread = { root: found.seq, seq };
  return { at: 'room', room: found.parent, seq: null, details: false, thread };
}

export const detailsRoute = (room: string): Route => ({
  at: 'room',
  room,
  seq: null,
  details: true,
});

function seqOf(part: string): number | null {
  return /^[1-9]\d{0,15}$/.test(part) ? Number(part) : null;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    // Somebody typed a single % into the address.
    return part;
  }
}

export function routeOf(path: string): Route {
  const [first = '', second = '', third = '', ...beyond] = path.split('/').slice(1).map(decode);
  if (first === 'sign-in') return { at: 'sign-in' };
  if (first === 'sign-up') return { at: 'sign-up', invite: null };
  if (first === 'join' && second) return { at: 'sign-up', invite: second };
  if (first === 'browse' || first === 'threads' || first === 'mentions' || first === 'saved') {
    return { at: first };
  }
  if (first === 'settings') {
    return { at: 'settings', section: SECTIONS.find((section) => section === second) ?? null };
  }
  if (first === 'rooms' && second) {
    if (third === 'details') return detailsRoute(second);
    const [thread, answer = ''] = beyond;
    const seq = seqOf(third);
    if (seq && thread === 'thread') return roomRoute(threadId(second, seq), seqOf(answer));
    return roomRoute(second, seq);
  }
  return { at: 'home' };
}

export function pathOf(route: Route): string {
  switch (route.at) {
    case 'home':
      return '/';
    case 'sign-in':
      return '/sign-in';
    case 'sign-up':
      return route.invite ? `/join/${encodeURIComponent(route.invite)}` : '/sign-up';
    case 'browse':
    case 'threads':
    case 'mentions':
    case 'saved':
      return `/${route.at}`;
    case 'settings':
      return route.section ? `/settings/${route.section}` : '/settings';
    case 'room': {
      const room = `/rooms/${encodeURIComponent(route.room)}`;
      if (route.details) return `${room}/details`;
      if (route.thread) {
        const thread = `${room}/${route.thread.root}/thread`;
        return route.thread.seq === null ? thread : `${thread}/${route.thread.seq}`;
      }
      return route.seq === null ? room : `${room}/${route.seq}`;
    }
  }
}

/** The only router of the page. */
class Router {
  route = $state.raw<Route>(routeOf(location.pathname));
  /** Increased by every navigation, even to the current place, as when a permalink is clicked again. */
  navigations = $state.raw(0);

  constructor() {
    addEventListener('popstate', () => {
      this.route = routeOf(location.pathname);
      this.navigations += 1;
    });
  }

  go(route: Route, { replace = false } = {}): void {
    const path = pathOf(route);
    if (replace) history.replaceState(history.state, '', path);
    else if (path !== location.pathname) {
      history.pushState({ inside: true, from: location.pathname }, '', path);
    }
    this.route = route;
    this.navigations += 1;
  }

  /** Whether Back leads to this route. */
  isPrevious(route: Route): boolean {
    return (history.state as { from?: string } | null)?.from === pathOf(route);
  }

  /** Back to the previous page of the client, or to `otherwise` if there is none. */
  back(otherwise: Route): void {
    if ((history.state as { inside?: boolean } | null)?.inside) history.back();
    else this.go(otherwise, { replace: true });
  }
}

export const router = new Router();

/**
 * A click handler for links: a plain click navigates inside the page, any other is left to the browser.
 */
export function linkTo(route: Route): (event: MouseEvent) => void {
  return (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || event.button !== 0) return;
    event.preventDefault();
    router.go(route);
  };
}
