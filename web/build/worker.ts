/**
 * Builds the service worker as /sw.js, a name that never changes, and inserts the list of files to
 * cache.
 */

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin, Rollup } from 'vite';

const SOURCE = 'src/worker/sw.ts';
const NAME = 'sw.js';
// Other image formats are fetched by the system when the client is installed.
const KEPT = /\.(?:js|css|html|svg|webmanifest)$/;

type Built = Rollup.OutputChunk | Rollup.OutputAsset;

/** Tables generated at build time, such as the emoji, are cached when they are first used. */
const isData = (file: Built): boolean =>
  file.type === 'chunk' && (file.facadeModuleId?.startsWith('\0virtual:') ?? false);

const contentOf = (file: Built) => (file.type === 'chunk' ? file.code : file.source);

export function worker(): Plugin {
  let publicDir = '';
  return {
    name: 'worker',
    apply: 'build',
    configResolved(config) {
      publicDir = config.publicDir;
    },
    buildStart() {
      this.emitFile({ type: 'chunk', id: SOURCE, fileName: NAME });
    },
    generateBundle: {
      // After the page and the styles have been added.
      order: 'post',
      handler(_options, bundle) {
        const own = bundle[NAME];
        if (own?.type !== 'chunk') this.error('There is no service worker in the build.');
        if (own.imports.length > 0) this.error('The service worker has to be one file.');
        const files = new Map(
          readdirSync(publicDir).map((name) => [name, readFileSync(join(publicDir, name))]),
        );
        for (const file of Object.values(bundle)) {
          if (file !== own && !isData(file)) files.set(file.fileName, Buffer.from(contentOf(file)));
        }
        const kept = [...files].filter(([name]) => KEPT.test(name)).sort(([a], [b]) => (a < b ? -1 : 1));
        const hash = createHash('sha256');
        for (const [name, content] of kept) hash.update(`${name}\0${content.length}\0`).update(content);
        const shell = {
          version: hash.digest('hex').slice(0, 12),
          files: kept.map(([name]) => `/${name}`),
        };
        own.code = `const SHELL=${JSON.stringify(shell)};${own.code}`;
      },
    },
  };
}
