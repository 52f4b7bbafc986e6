/** Positions a floating element so that all of it is visible. */

const GAP = 4;
const MARGIN = 8;

/** Below its owner, or above it if there is too little room; aligned with its edge. */
export function placeBelowOrAbove(popup: HTMLElement, owner: HTMLElement, align: 'start' | 'end'): void {
  const at = owner.getBoundingClientRect();
  const { width, height } = popup.getBoundingClientRect();
  const { clientWidth, clientHeight } = document.documentElement;
  const below = at.bottom + GAP;
  const fits = below + height <= clientHeight - MARGIN;
  const top = fits ? below : at.top - GAP - height;
  const isRtl = getComputedStyle(owner).direction === 'rtl';
  const left = (align === 'start') === isRtl ? at.right - width : at.left;
  popup.style.top = `${between(MARGIN, top, clientHeight - MARGIN - height)}px`;
  popup.style.left = `${between(MARGIN, left, clientWidth - MARGIN - width)}px`;
}

function between(low: number, value: number, high: number): number {
  return Math.max(low, Math.min(value, high));
}
