/** @file Light or dark: as the system says, until somebody chooses. */

type Theme = 'light' | 'dark';
const KEY = 'transfusion-theme';

class ThemeState {
  current = $state<Theme>('light');

  start(): void {
    const system = matchMedia('(prefers-color-scheme: dark)');
    this.#show(this.#chosen() ?? (system.matches ? 'dark' : 'light'));
    system.addEventListener('change', ({ matches }) => {
      if (!this.#chosen()) this.#show(matches ? 'dark' : 'light');
    });
  }

  toggle(): void {
    const next = this.current === 'dark' ? 'light' : 'dark';
    try {
      localStorage.setItem(KEY, next);
    } catch {
      // Nothing is remembered in a private window.
    }
    this.#show(next);
  }

  #show(theme: Theme): void {
    this.current = theme;
    document.documentElement.dataset.theme = theme;
  }

  #chosen(): Theme | undefined {
    try {
      const chosen = localStorage.getItem(KEY);
      return chosen === 'light' || chosen === 'dark' ? chosen : undefined;
    } catch {
      return undefined;
    }
  }
}

export const theme = new ThemeState();
