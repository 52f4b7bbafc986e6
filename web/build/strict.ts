/** A warning ends a build: whoever builds could do nothing about it, and nobody would read it. */

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
