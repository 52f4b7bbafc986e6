import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';
import { chunkOf } from './build/chunks';
import { compress } from './build/compress';
import { emoji } from './build/emoji';
import { strict } from './build/strict';
import { worker } from './build/worker';

// The server that the development page connects to; `make run` starts one there.
const server = process.env['HUBBUB_SERVER'] ?? 'http://localhost:8080';

export default defineConfig({
  plugins: [strict(), svelte(), emoji(), worker(), compress()],
  build: {
    outDir: '../hubbub/gateway/static',
    emptyOutDir: true,
    target: 'es2022',
    // The content policy does not allow data: URLs for styles or scripts, and files can be cached.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // Slower than esbuild but 3 % smaller: one build is slower, and every visitor downloads less.
    minify: 'terser',
    // A chunk names every file it may load, and hashes do not compress.
    rollupOptions: {
      output: {
        manualChunks: chunkOf(),
        onlyExplicitManualChunks: true,
        entryFileNames: 'assets/[name]-[hash:6].js',
        chunkFileNames: 'assets/[name]-[hash:6].js',
        assetFileNames: 'assets/[name]-[hash:6][extname]',
      },
    },
    // Separate functions and statements are longer, but compress better.
    terserOptions: {
      module: true,
      ecma: 2020,
      compress: { passes: 2, inline: 1, sequences: false },
    },
  },
  server: {
    proxy: {
      '/api': server,
      '/ws': { target: server, ws: true },
    },
  },
  test: {
    include: ['tests/**/*.test.ts'],
    // A process per file would spend most of its time loading jsdom and the test library. Here a
    // process runs several files, each with new globals and modules.
    pool: 'vmForks',
    // The seed is printed; `--sequence.seed` repeats it.
    sequence: { shuffle: true },
    // A limit for hanging tests, and not a promise of speed, because the machine may be shared.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Tests compute the contrast of colours, and need no other styles.
    css: { include: [/tokens\.css/] },
    env: { HUBBUB_SOAK: process.env['HUBBUB_SOAK'] ?? '' },
  },
  // Under vitest, use the browser build of Svelte.
  ...(process.env['VITEST'] ? { resolve: { conditions: ['browser'] } } : {}),
});
