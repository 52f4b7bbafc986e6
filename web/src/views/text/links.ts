import { follow, routeOf } from '../../app/router.svelte';

/** The attributes of a link: this server's rooms open in the page, all else in a page of its own. */
export function linkTo(href: string) {
  const { origin, pathname } = new URL(href, location.origin);
  const route = routeOf(pathname);
  return origin === location.origin && route.at === 'room'
    ? { href, onclick: follow(route) }
    : { href, target: '_blank', rel: 'noopener noreferrer nofollow' };
}
