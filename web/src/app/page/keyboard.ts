/** The on-screen keyboard, where it covers the page instead of making it smaller (iOS). */

// What browsers' own bars take away is less, a keyboard is more.
const LEAST_PX = 100;

/** Sets `--height` on the root, the height that is left, for as long as a keyboard covers some. */
export function trackKeyboard(): (() => void) | undefined {
  const viewport = window.visualViewport;
  if (!viewport) return undefined;
  const { style } = document.documentElement;
  const follow = () => {
    // Zooming in shows less of the page too, and is no keyboard.
    const isCovered = viewport.scale < 1.05 && innerHeight - viewport.height > LEAST_PX;
    if (!isCovered) {
      style.removeProperty('--height');
      return;
    }
    style.setProperty('--height', `${viewport.height}px`);
    // The browser moved the page up to show the field, which is in view without that.
    scrollTo(0, 0);
  };
  viewport.addEventListener('resize', follow);
  return () => {
    viewport.removeEventListener('resize', follow);
    style.removeProperty('--height');
  };
}
