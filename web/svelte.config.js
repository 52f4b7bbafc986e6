import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';
import { readdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';

const SOURCE = join(import.meta.dirname, 'src');
const components = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.svelte'))
  .sort();

/** The scoping class of a component's style: a number is shorter than a hash, and compresses better. */
function cssHash({ filename, hash }) {
  const number = components.indexOf(relative(SOURCE, resolve(filename)));
  // During development, a component may be newer than this list.
  return number < 0 ? `s-${hash(filename)}` : `s${number.toString(36)}`;
}

export default {
  preprocess: vitePreprocess(),
  compilerOptions: {
    cssHash,
    // Nobody needs to know the version of Svelte.
    discloseVersion: false,
    // Without this, a component without runes would bring in the legacy mode.
    runes: true,
  },
};
