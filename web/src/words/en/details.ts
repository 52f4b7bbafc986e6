/** The header of a room; the words of its details are in `roomDetails.ts`. */

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
