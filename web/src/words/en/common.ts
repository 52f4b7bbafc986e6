/** Words used in several parts of the client. */
export const common = {
  cancel: 'Cancel',
  close: 'Close',
  save: 'Save',
  delete: 'Delete',
  back: 'Back',
  copied: 'Copied',
  loading: 'Loading…',
  online: 'online',
  away: 'away',
  offline: 'offline',
  tryAgain: 'Try again',
  newVersion: 'A new version is available.',
  reload: 'Reload to update',
};
