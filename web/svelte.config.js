import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';
import { readdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';

const SOURCE = join(import.meta.dirname, 'src');
const components = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.svelte'))
  .sort();

/** The class of one component's style: a number is shorter than a hash, and packs better. */
function cssHash({ filename, hash }) {
  const number = components.indexOf(relative(SOURCE, resolve(filename)));
  // While developing, a component may be newer than this list.
  return number < 0 ? `s-${hash(filename)}` : `s${number.toString(36)}`;
}

export default {
  preprocess: vitePreprocess(),
  compilerOptions: {
    cssHash,
    // Nobody asks the page which Svelte it is made with.
    discloseVersion: false,
    // Without this a component that shows no rune brings the older kind of components with it.
    runes: true,
  },
};
