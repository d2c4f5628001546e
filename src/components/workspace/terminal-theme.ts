import type { ITheme } from '@xterm/xterm';

const ansi = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'] as const;
type Ansi = (typeof ansi)[number];

const bright = (name: Ansi): keyof ITheme => `bright${name.charAt(0).toUpperCase()}${name.slice(1)}` as keyof ITheme;

/** The terminal's colours as the page's custom properties have them now. */
export function terminalTheme(): ITheme {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string): string => style.getPropertyValue(`--color-term-${name}`).trim();
  const theme: Record<string, string> = {
    background: color('bg'),
    foreground: color('text'),
    cursor: color('cursor'),
    cursorAccent: color('bg'),
    selectionBackground: color('selection'),
    scrollbarSliderBackground: `${color('8')}40`,
    scrollbarSliderHoverBackground: `${color('8')}70`,
    scrollbarSliderActiveBackground: `${color('8')}90`,
  };
  for (const [index, name] of ansi.entries()) {
    theme[name] = color(String(index));
    theme[bright(name)] = color(String(index + 8));
  }
  return Object.fromEntries(Object.entries(theme).filter(([, value]) => value !== ''));
}

/** Calls `changed` when the page goes from light to dark or back. */
export function watchTheme(changed: () => void, signal: AbortSignal): void {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', changed, { signal });
  const observer = new MutationObserver(changed);
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme', 'class'] });
  signal.addEventListener('abort', () => {
    observer.disconnect();
  });
}
