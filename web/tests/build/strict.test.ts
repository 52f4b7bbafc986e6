// @vitest-environment node
import { build } from 'vite';
import { expect, test } from 'vitest';
import { strict } from '../../build/strict';

function built(code: string): Promise<unknown> {
  return build({
    configFile: false,
    logLevel: 'silent',
    plugins: [
      strict(),
      {
        name: 'entry',
        resolveId: (id) => (id === 'entry.js' ? '\0entry.js' : null),
        load: (id) => (id === '\0entry.js' ? code : null),
      },
    ],
    build: { write: false, rollupOptions: { input: 'entry.js' } },
  });
}

test('a build with a warning fails and says which', async () => {
  await expect(built('console.log(eval("1"))')).rejects.toThrow(/a warning.*eval/is);
});

test('a build without one does not', async () => {
  await expect(built('console.log(1)')).resolves.toBeDefined();
});
