/** German. */

import { common } from './common';
import { composer } from './composer';
import { details } from './details';
import { errors } from './errors';
import { rooms } from './rooms';
import { timeline } from './timeline';
import type { Words } from '../en';

export const de: Words = {
  common,
  composer,
  details,
  errors,
  rooms,
  timeline,
};

