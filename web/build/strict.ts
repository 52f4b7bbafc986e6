/** Turns warnings of the build into errors, since otherwise nobody would read them. */

import type { Plugin } from 'vite';

export function strict(): Plugin {
  return {
    name: 'strict',
    apply: 'build',
    configResolved({ logger }) {
      logger.warn = logger.warnOnce = (message) => {
        throw new Error(`a warning, which no build may have: ${message}`);
      };
    },
  };
}
