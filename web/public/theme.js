// Before the first paint, so that a dark page never begins light. A file of its own, since the
// content policy allows no script in the page.
{
  const root = document.documentElement;
  const theme = localStorage.getItem('hubbub.theme');
  if (theme) root.dataset.theme = theme;

  // What the system draws around the page follows, now and when another theme is chosen later.
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
