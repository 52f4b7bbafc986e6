import { linkTo, routeOf } from '../app/router.svelte';

// Attributes one by one, not spread in the templates: that would bring more of the framework.
interface LinkAttributes {
  target?: string;
  rel?: string;
  onclick?: (event: MouseEvent) => void;
}

/** How a link is followed: this server's rooms open in the page, all else in a page of its own. */
export function linkAttributes(href: string): LinkAttributes {
  const { origin, pathname } = new URL(href, location.origin);
  const route = routeOf(pathname);
  return origin === location.origin && route.at === 'room'
    ? { onclick: linkTo(route) }
    : { target: '_blank', rel: 'noopener noreferrer nofollow' };
}
