/** Whether somebody sits here, and when the line or what is kept may need a look. */

const IDLE_AFTER_MS = 5 * 60_000;
const HIDDEN_AFTER_MS = 60_000;
const ACTIVITY_EVENTS = ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart'] as const;

/** What is told of it: `Chat`. */
export interface ActivityObserver {
  setActive(active: boolean): void;
  checkConnection(): void;
  save(): void;
}

/** Watches until the function it returns is called. */
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
      // Signs only leave their time, for the pointer gives hundreds: wait for what is left.
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
  // Offline too: an open socket can take minutes to notice by itself.
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
