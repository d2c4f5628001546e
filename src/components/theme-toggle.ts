type Theme = 'light' | 'dark';

const systemIsDark = matchMedia('(prefers-color-scheme: dark)');

function currentTheme(): Theme {
  const chosen = document.documentElement.dataset['theme'];
  if (chosen === 'light' || chosen === 'dark') return chosen;
  return systemIsDark.matches ? 'dark' : 'light';
}

/** `<theme-toggle>`: its button switches the theme. The first paint is theme.js's work. */
class ThemeToggle extends HTMLElement {
  #stop = new AbortController();

  connectedCallback(): void {
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    this.querySelector('button')?.addEventListener(
      'click',
      () => {
        this.#switch();
      },
      { signal },
    );
    systemIsDark.addEventListener(
      'change',
      () => {
        this.#label();
      },
      { signal },
    );
    this.#label();
  }

  disconnectedCallback(): void {
    this.#stop.abort();
  }

  #switch(): void {
    const theme: Theme = currentTheme() === 'dark' ? 'light' : 'dark';
    document.documentElement.dataset['theme'] = theme;
    try {
      localStorage.setItem('ballast:theme', theme);
    } catch {
      // Storage is blocked: the choice holds for this page.
    }
    this.#label();
  }

  #label(): void {
    const other = currentTheme() === 'dark' ? 'light' : 'dark';
    this.querySelector('button')?.setAttribute('aria-label', `Switch to the ${other} theme`);
  }
}

customElements.define('theme-toggle', ThemeToggle);
