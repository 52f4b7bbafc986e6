/** Notes that a page stores for the next one when somebody signs out. */

const LEAVING = 'hubbub.leaving';
const GOODBYE = 'hubbub.goodbye';

/**
 * A sign-out that has not reached the server yet. Only the server can clear the cookie, so this is sent
 * before anything else as soon as the server can be reached.
 */
export const pendingSignOut = {
  get isDue(): boolean {
    return localStorage.getItem(LEAVING) !== null;
  },
  begin(): void {
    localStorage.setItem(LEAVING, '1');
  },
  end(): void {
    localStorage.removeItem(LEAVING);
  },
};

/** Tells the next page that somebody has just signed out. */
export const signedOutNotice = {
  set(): void {
    sessionStorage.setItem(GOODBYE, '1');
  },
  /** Returns whether it was set, and clears it. */
  take(): boolean {
    const isSet = sessionStorage.getItem(GOODBYE) !== null;
    sessionStorage.removeItem(GOODBYE);
    return isSet;
  },
};

/** Another tab signed out or in. */
export function onOtherTab(what: { left(): void; entered(): void }): void {
  addEventListener('storage', ({ key, newValue }) => {
    if (newValue === null) return;
    if (key === LEAVING) what.left();
    if (key === 'hubbub.session') what.entered();
  });
}
