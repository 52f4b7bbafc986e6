import './styles/tokens.css';
import './styles/base.css';
import { mount } from 'svelte';
import App from './App.svelte';
import { language } from './words/language.svelte';

const target = document.getElementById('app');
if (!target) throw new Error('The page has no #app.');
// No top-level await: the bundler would split the entry chunk into four files.
void language.start().then(() => mount(App, { target }));
