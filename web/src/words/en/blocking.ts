/** Being added to rooms by others, and blocking people. */

export const blocking = {
  region: 'Who added you',
  addedBy: (name: string): string => `Added by ${name}`,
  startedBy: (name: string): string => `${name} started this conversation`,
  leave: 'Leave',
  hide: 'Hide',
  stay: 'Stay here',

  block: 'Block',
  blockPerson: (name: string): string => `Block ${name}`,
  blockTitle: (name: string): string => `Block ${name}?`,
  blockText: (name: string): string =>
    `${name} will no longer be able to add you to rooms or message you directly, and will not be notified. Nothing changes in the rooms you share.`,
  alsoLeaves: 'You also leave this room.',
  alsoHides: 'The conversation is hidden as well.',
  blockAndLeave: 'Block and leave',
  blocked: (name: string): string => `${name} is blocked. You can undo this in the settings.`,
  unblock: 'Unblock',
  unblockPerson: (name: string): string => `Unblock ${name}`,
  unblocked: (name: string): string => `${name} is no longer blocked`,

  hint: 'These people cannot add you to rooms or message you directly. You cannot add or message them either. They are not notified.',
  none: 'You have not blocked anybody.',
};

export type BlockingWords = typeof blocking;
