/**
 * Light, dark, or the setting of the system. `public/theme.js` does the same before the first paint.
 */

export type Theme = 'system' | 'light' | 'dark';

const KEY = 'hubbub.theme';

function storedTheme(): Theme {
  const theme = localStorage.getItem(KEY);
  return theme === 'light' || theme === 'dark' ? theme : 'system';
}

class ThemeChoice {
  current = $state.raw<Theme>(storedTheme());

  choose(theme: Theme): void {
    this.current = theme;
    if (theme === 'system') {
      localStorage.removeItem(KEY);
      delete document.documentElement.dataset['theme'];
    } else {
      localStorage.setItem(KEY, theme);
      document.documentElement.dataset['theme'] = theme;
    }
  }
}

export const theme = new ThemeChoice();
