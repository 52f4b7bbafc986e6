import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';
import { chunkOf } from './build/chunks';
import { compress } from './build/compress';
import { emoji } from './build/emoji';
import { strict } from './build/strict';
import { worker } from './build/worker';

// The server a development page talks to; `make run` starts one there.
const server = process.env['HUBBUB_SERVER'] ?? 'http://localhost:8080';

export default defineConfig({
  plugins: [strict(), svelte(), emoji(), worker(), compress()],
  build: {
    outDir: '../hubbub/gateway/static',
    emptyOutDir: true,
    target: 'es2022',
    // The content policy allows no data: address for styles or scripts, and files cache better.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // Slower than esbuild, and 3 % smaller: every visitor waits for the one, nobody for the other.
    minify: 'terser',
    // A chunk names every file it may load, and no packing makes a hash shorter.
    rollupOptions: {
      output: {
        manualChunks: chunkOf(),
        onlyExplicitManualChunks: true,
        entryFileNames: 'assets/[name]-[hash:6].js',
        chunkFileNames: 'assets/[name]-[hash:6].js',
        assetFileNames: 'assets/[name]-[hash:6][extname]',
      },
    },
    // Functions and statements kept apart are longer, and pack better.
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
    // A process for each file would spend most of its time on loading jsdom and the test library.
    // Here a process goes on to the next file, with globals and modules that are new for each.
    pool: 'vmForks',
    // Printed; `--sequence.seed` gives it again.
    sequence: { shuffle: true },
    // Against what hangs, and not a promise of speed: others may use the machine.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Tests compute the contrast of colours; they need no other style.
    css: { include: [/tokens\.css/] },
    env: { HUBBUB_SOAK: process.env['HUBBUB_SOAK'] ?? '' },
  },
  // Under vitest the browser's build of Svelte is the one to test.
  ...(process.env['VITEST'] ? { resolve: { conditions: ['browser'] } } : {}),
});
