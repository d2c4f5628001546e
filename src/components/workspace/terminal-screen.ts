import '@xterm/xterm/css/xterm.css';
import { FitAddon } from '@xterm/addon-fit';
import { WebLinksAddon } from '@xterm/addon-web-links';
import { Terminal } from '@xterm/xterm';
import { terminalTheme, watchTheme } from './terminal-theme.ts';

export interface ScreenOptions {
  /** Accessible name of the input, "Terminal 2". */
  readonly label: string;
  readonly screenReader: boolean;
  /** The learner typed or pasted. */
  onInput(text: string): void;
  onResize(cols: number, rows: number): void;
  onSelection(text: string): void;
  /** The key that leaves the terminal was pressed. */
  onLeave(): void;
}

const fontFamily = "'JetBrains Mono Variable', ui-monospace, monospace";
const fontSize = 13;
/** How long to wait for a shell to show that it takes bracketed pastes, in ms. */
const promptMs = 2000;

/** One xterm.js on the page: its keys, colours and size. */
export class TerminalScreen {
  readonly terminal: Terminal;
  readonly #fit = new FitAddon();
  readonly #host: HTMLElement;
  readonly #options: ScreenOptions;
  readonly #stop = new AbortController();

  /** Waits for the font first: xterm measures its cells once, when it is opened. */
  static async open(host: HTMLElement, options: ScreenOptions): Promise<TerminalScreen> {
    await document.fonts.load(`${String(fontSize)}px ${fontFamily}`).catch(() => []);
    return new TerminalScreen(host, options);
  }

  private constructor(host: HTMLElement, options: ScreenOptions) {
    this.#host = host;
    this.#options = options;
    this.terminal = new Terminal({
      fontFamily,
      fontSize,
      lineHeight: 1.25,
      scrollback: 10_000,
      theme: terminalTheme(),
      minimumContrastRatio: 4.5,
      screenReaderMode: options.screenReader,
      cursorBlink: !matchMedia('(prefers-reduced-motion: reduce)').matches,
      cursorStyle: 'bar',
      macOptionIsMeta: true,
      rightClickSelectsWord: false,
    });
    this.terminal.loadAddon(this.#fit);
    this.terminal.loadAddon(new WebLinksAddon());
    this.terminal.attachCustomKeyEventHandler((event) => this.#onKey(event));
    this.terminal.open(host);
    this.terminal.textarea?.setAttribute('aria-label', options.label);
    this.terminal.textarea?.setAttribute('aria-description', 'Press F6 to leave the terminal.');
    this.terminal.onData((text) => {
      options.onInput(text);
    });
    this.terminal.onResize(({ cols, rows }) => {
      options.onResize(cols, rows);
    });
    this.terminal.onSelectionChange(() => {
      options.onSelection(this.terminal.getSelection());
    });
    const observer = new ResizeObserver(() => {
      this.fit();
    });
    observer.observe(host);
    this.#stop.signal.addEventListener('abort', () => {
      observer.disconnect();
    });
    watchTheme(() => {
      this.terminal.options.theme = terminalTheme();
    }, this.#stop.signal);
    this.fit();
  }

  /** Fills the host with as many cells as fit; does nothing while it is hidden. */
  fit(): void {
    if (this.#host.clientWidth > 0 && this.#host.clientHeight > 0) this.#fit.fit();
  }

  /** Puts the selection into the clipboard; gives false when there is none or the browser refuses. */
  async copy(): Promise<boolean> {
    const text = this.terminal.getSelection();
    if (text === '') return false;
    return navigator.clipboard.writeText(text).then(
      () => true,
      () => false,
    );
  }

  /** Types what is in the clipboard; gives false when the browser does not let us read it. */
  async paste(): Promise<boolean> {
    try {
      this.terminal.paste(await navigator.clipboard.readText());
      return true;
    } catch {
      return false;
    }
  }

  /** Says something between the lines of the shell; not while a program has the whole screen. */
  notify(text: string): void {
    if (this.terminal.buffer.active.type === 'normal') this.terminal.write(`\r\n\u001b[33m${text}\u001b[0m\r\n`);
  }

  /** Resolves when the shell asks for bracketed pastes, as one at its prompt does, or after two seconds. */
  promptSeen(): Promise<void> {
    const { terminal } = this;
    if (terminal.modes.bracketedPasteMode) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        listener.dispose();
        resolve();
      };
      const timer = setTimeout(end, promptMs);
      const listener = terminal.onWriteParsed(() => {
        if (terminal.modes.bracketedPasteMode) end();
      });
    });
  }

  dispose(): void {
    this.#stop.abort();
    this.terminal.dispose();
  }

  /** False for keys that the shell must not get. */
  #onKey(event: KeyboardEvent): boolean {
    const { ctrlKey, shiftKey, altKey, metaKey, code } = event;
    if (code === 'F6' && !ctrlKey && !altKey && !metaKey) {
      if (event.type === 'keydown') {
        event.preventDefault();
        this.#options.onLeave();
      }
      return false;
    }
    if (!ctrlKey || !shiftKey || altKey || metaKey) return true;
    if (code === 'KeyC') {
      // Else the browser opens its developer tools.
      event.preventDefault();
      if (event.type === 'keydown') void this.copy();
      return false;
    }
    // The browser's own paste goes into xterm's text area: it needs no permission.
    return code !== 'KeyV';
  }
}
