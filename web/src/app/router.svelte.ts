/** Where the person is, as the address says; Back, reload and links work because of it. */

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
  /** The list of rooms; where there is room for more, with the room last seen. */
  | { at: 'home' }
  | { at: 'sign-in' }
  | { at: 'sign-up'; invite: string | null }
  /** A room; at a message of it, with its details open, or with the thread of a message. */
  | { at: 'room'; room: string; seq: number | null; details: boolean; thread?: ThreadRoute }
  /** All the rooms that one may know of; threads; where one was mentioned; what one keeps. */
  | { at: 'browse' | 'threads' | 'mentions' | 'saved' }
  /** Null: the list of sections; where there is room for more, with the first. */
  | { at: 'settings'; section: Section | null };

export interface ThreadRoute {
  /** The message that it is about. */
  root: number;
  /** An answer to go to. */
  seq: number | null;
}

/** Of a thread it is the room that it is in, with the thread beside it. */
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

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    // A stray % that somebody typed.
    return part;
  }
}

export function routeOf(path: string): Route {
  const [first = '', second = '', third = '', ...beyond] = path.split('/').slice(1).map(decoded);
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

/** The one router of the page. */
class Router {
  route = $state.raw<Route>(routeOf(location.pathname));
  /** Rises with every step, also to where one is already: a permalink clicked again. */
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

  /** Whether Back leads there. */
  isPrevious(route: Route): boolean {
    return (history.state as { from?: string } | null)?.from === pathOf(route);
  }

  /** To where one came from inside the client, else to `otherwise`. */
  back(otherwise: Route): void {
    if ((history.state as { inside?: boolean } | null)?.inside) history.back();
    else this.go(otherwise, { replace: true });
  }
}

export const router = new Router();

/** For links: an ordinary click stays in the page, any other is the browser's. */
export function linkTo(route: Route): (event: MouseEvent) => void {
  return (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || event.button !== 0) return;
    event.preventDefault();
    router.go(route);
  };
}
