// Runs before the first paint, so that a dark page never starts light. In its own file, because the
// content policy allows no inline scripts.
{
  const root = document.documentElement;
  const theme = localStorage.getItem('hubbub.theme');
  if (theme) root.dataset.theme = theme;

  // The browser's own controls follow the theme, also when it is changed later.
  const colourBar = () => {
    const chosen = root.dataset.theme;
    for (const meta of document.querySelectorAll('meta[name="theme-color"]')) {
      const { scheme } = meta.dataset;
      if (!chosen) meta.media = `(prefers-color-scheme: ${scheme})`;
      else meta.media = scheme === chosen ? 'all' : 'not all';
    }
  };
  new MutationObserver(colourBar).observe(root, { attributeFilter: ['data-theme'] });
  colourBar();
}
