/** Detects whether the user is active, and when the connection should be checked or the state saved. */

const IDLE_AFTER_MS = 5 * 60_000;
const HIDDEN_AFTER_MS = 60_000;
const ACTIVITY_EVENTS = ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart'] as const;

/** Receives the changes; implemented by `Chat`. */
export interface ActivityObserver {
  setActive(active: boolean): void;
  checkConnection(): void;
  save(): void;
}

/** Observes until the returned function is called. */
export function watchActivity(observer: ActivityObserver): () => void {
  let seenAt = Date.now();
  let isActive = true;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function become(active: boolean): void {
    isActive = active;
    observer.setActive(active);
  }

  function waitFrom(since: number, forMs: number): void {
    clearTimeout(timer);
    timer = setTimeout(() => {
      // Pointer events come by the hundred, so they only store the time; the timer waits for the rest.
      if (!document.hidden && Date.now() - seenAt < IDLE_AFTER_MS) waitFrom(seenAt, IDLE_AFTER_MS);
      else become(false);
    }, Math.max(0, since + forMs - Date.now()));
  }

  function onActivity(): void {
    seenAt = Date.now();
    if (isActive) return;
    become(true);
    waitFrom(seenAt, IDLE_AFTER_MS);
  }

  function onVisibility(): void {
    if (document.hidden) {
      observer.save();
      if (isActive) waitFrom(Date.now(), HIDDEN_AFTER_MS);
      return;
    }
    seenAt = Date.now();
    if (!isActive) become(true);
    waitFrom(seenAt, IDLE_AFTER_MS);
    observer.checkConnection();
  }

  const controller = new AbortController();
  const { signal } = controller;
  for (const sign of ACTIVITY_EVENTS) addEventListener(sign, onActivity, { signal, passive: true, capture: true });
  document.addEventListener('visibilitychange', onVisibility, { signal });
  // Also on `offline`: an open socket can take minutes to notice by itself.
  for (const wake of ['online', 'offline', 'focus'] as const) {
    addEventListener(wake, () => observer.checkConnection(), { signal });
  }
  addEventListener('pageshow', ({ persisted }) => persisted && observer.checkConnection(), { signal });
  addEventListener('pagehide', () => observer.save(), { signal });
  waitFrom(seenAt, document.hidden ? HIDDEN_AFTER_MS : IDLE_AFTER_MS);

  return () => {
    controller.abort();
    clearTimeout(timer);
  };
}
