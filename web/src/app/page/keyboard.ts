/** The on-screen keyboard of iOS, which covers the page instead of making it smaller. */

// Browser toolbars take less height than this, keyboards take more.
const LEAST_PX = 100;

/** Sets `--height` on the root element to the height that is left while a keyboard is open. */
export function trackKeyboard(): (() => void) | undefined {
  const viewport = window.visualViewport;
  if (!viewport) return undefined;
  const { style } = document.documentElement;
  const follow = () => {
    // Zooming in also makes the visible part smaller.
    const isCovered = viewport.scale < 1.05 && innerHeight - viewport.height > LEAST_PX;
    if (!isCovered) {
      style.removeProperty('--height');
      return;
    }
    style.setProperty('--height', `${viewport.height}px`);
    // The browser has scrolled the page to reveal the field, which is visible without that.
    scrollTo(0, 0);
  };
  viewport.addEventListener('resize', follow);
  return () => {
    viewport.removeEventListener('resize', follow);
    style.removeProperty('--height');
  };
}
