/** Whether the user is looking at this page: it is visible and has the focus. */
class Attention {
  isThere = $state(false);

  constructor() {
    const look = () => {
      this.isThere = !document.hidden && document.hasFocus();
    };
    look();
    document.addEventListener('visibilitychange', look);
    addEventListener('focus', look);
    addEventListener('blur', look);
  }
}

export const attention = new Attention();
