import type { Words } from '../en';

export const door: Words['door'] = {};
