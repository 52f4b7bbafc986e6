import type { Words } from '../en';

export const keys: Words['keys'] = {};
