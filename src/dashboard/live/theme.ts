/** Light, dark, or as the system has it; the choice stays in this browser. */

export type Theme = 'auto' | 'light' | 'dark';

const KEY = 'ipynb-telemetry-theme';
const ORDER: readonly Theme[] = ['auto', 'light', 'dark'];

/** The choice made before; `auto` where there is none or storage is closed. */
export function storedTheme(): Theme {
  try {
    const stored = localStorage.getItem(KEY);
    return ORDER.find(theme => theme === stored) ?? 'auto';
  } catch {
    return 'auto';
  }
}

/** Shows `theme` and remembers it where possible. */
export function applyTheme(theme: Theme): void {
  if (theme === 'auto') {
    delete document.documentElement.dataset['theme'];
  } else {
    document.documentElement.dataset['theme'] = theme;
  }
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // A browser that keeps nothing still shows the choice until it is closed.
  }
}

export function nextTheme(theme: Theme): Theme {
  return ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length] ?? 'auto';
}
