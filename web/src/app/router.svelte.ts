/** Where the person is, as the address says; Back, reload and links work because of it. */

export type Route =
  | { at: 'home' }
  | { at: 'sign-in' }
  | { at: 'sign-up'; invite: string | null }
  | { at: 'room'; room: string; seq: number | null };

export function routeOf(path: string): Route {
  const [first = '', second = '', third = ''] = path.split('/').slice(1).map(decodeURIComponent);
  if (first === 'sign-in') return { at: 'sign-in' };
  if (first === 'sign-up') return { at: 'sign-up', invite: null };
  if (first === 'join' && second) return { at: 'sign-up', invite: second };
  if (first === 'rooms' && second) {
    const seq = /^[1-9]\d*$/.test(third) ? Number(third) : null;
    return { at: 'room', room: second, seq };
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
    case 'room': {
      const room = `/rooms/${encodeURIComponent(route.room)}`;
      return route.seq === null ? room : `${room}/${route.seq}`;
    }
  }
}

class Router {
  route = $state.raw<Route>(routeOf(location.pathname));

  constructor() {
    addEventListener('popstate', () => {
      this.route = routeOf(location.pathname);
    });
  }

  go(route: Route, { replace = false } = {}): void {
    const path = pathOf(route);
    if (path !== location.pathname) history[replace ? 'replaceState' : 'pushState'](null, '', path);
    this.route = route;
  }
}

export const router = new Router();
