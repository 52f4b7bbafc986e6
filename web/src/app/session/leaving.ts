/** What one page leaves behind for the next when somebody signs out. */

const LEAVING = 'hubbub.leaving';
const GOODBYE = 'hubbub.goodbye';

/**
 * Somebody signed out while the server could not be reached. Only the server can clear the cookie,
 * so that is asked of it before anything else, as soon as it is there again.
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

/** For the page that comes after the one in which somebody signed out. */
export const signedOutNotice = {
  set(): void {
    sessionStorage.setItem(GOODBYE, '1');
  },
  /** Whether it was said; it is said once. */
  take(): boolean {
    const said = sessionStorage.getItem(GOODBYE) !== null;
    sessionStorage.removeItem(GOODBYE);
    return said;
  },
};

/** Another tab did one of these two. */
export function onOtherTab(what: { left(): void; entered(): void }): void {
  addEventListener('storage', ({ key, newValue }) => {
    if (newValue === null) return;
    if (key === LEAVING) what.left();
    if (key === 'hubbub.session') what.entered();
  });
}
