import type { Words } from '../en';

export const details: Words['details'] = {
  title: 'Details',
};
