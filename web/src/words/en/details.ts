/** What the head of a room says; what its details say is in `panel.ts`, and comes with them. */

import { pluralIn } from '../plural';

const plural = pluralIn('en');

export const details = {
  title: 'Details',
  back: 'Back to rooms',
  members: (count: number): string => plural(count, { one: '# member', other: '# members' }),
  onlyYou: 'Only you can see this',
  private: 'Private room',
  muted: 'Muted',
  archived: 'Archived',
};
