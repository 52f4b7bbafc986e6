/** English defines which words there are. Each part of the client has a file. */

import { common } from './common';
import { composer } from './composer';
import { details } from './details';
import { errors } from './errors';
import { rooms } from './rooms';
import { timeline } from './timeline';

export const en = {
  common,
  composer,
  details,
  errors,
  rooms,
  timeline,
};

/** An incomplete language does not compile. */
export type Words = typeof en;
