import './styles/tokens.css';
import './styles/base.css';
import { mount } from 'svelte';
import App from './App.svelte';
import { language } from './words/language.svelte';

const target = document.getElementById('app');
if (!target) throw new Error('The page has no #app.');
// Not awaited at the top: the bundler would cut the page's own script into four files for it.
void language.start().then(() => mount(App, { target }));
