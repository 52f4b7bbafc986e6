// Before the first paint, so that a dark page never begins light. A file of its own, since the
// content policy allows no script in the page.
{
  const theme = localStorage.getItem('hubbub.theme');
  if (theme) document.documentElement.dataset.theme = theme;
}
