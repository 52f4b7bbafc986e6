import type { Words } from '../en';

export const composer: Words['composer'] = {};
