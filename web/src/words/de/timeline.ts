import type { Words } from '../en';

export const timeline: Words['timeline'] = {};
