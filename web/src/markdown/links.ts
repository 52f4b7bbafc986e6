import { linkTo, routeOf } from '../app/router.svelte';

// Listed one by one, because spreading attributes in templates needs more of the framework's code.
interface LinkAttributes {
  target?: string;
  rel?: string;
  onclick?: (event: MouseEvent) => void;
}

/** The attributes of a link: rooms of this server open in the page, everything else in a new tab. */
export function linkAttributes(href: string): LinkAttributes {
  const { origin, pathname } = new URL(href, location.origin);
  const route = routeOf(pathname);
  return origin === location.origin && route.at === 'room'
    ? { onclick: linkTo(route) }
    : { target: '_blank', rel: 'noopener noreferrer nofollow' };
}
