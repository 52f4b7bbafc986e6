/** Words that several parts of the client use. */
export const common = {
  cancel: 'Cancel',
  close: 'Close',
  save: 'Save',
  delete: 'Delete',
  back: 'Back',
  more: 'More',
  copied: 'Copied',
  loading: 'Loading…',
  you: 'You',
  guest: 'Guest',
  online: 'online',
  away: 'away',
  offline: 'offline',
  tryAgain: 'Try again',
};
