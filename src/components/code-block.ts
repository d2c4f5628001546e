/** How long a button shows what it did, in milliseconds. */
const feedbackMs = 1600;

/** One polite live region for the page; screen readers hear "Copied" from it. */
function announce(text: string): void {
  let region = document.querySelector('#code-announcer');
  if (region === null) {
    region = document.createElement('div');
    region.id = 'code-announcer';
    region.className = 'visually-hidden';
    region.setAttribute('role', 'status');
    document.body.append(region);
  }
  region.textContent = text;
}

function makeButton(label: string, title: string, action: (button: HTMLButtonElement) => void): HTMLButtonElement {
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = label;
  button.title = title;
  button.addEventListener('click', () => {
    action(button);
  });
  return button;
}

/** Shows `text` on the button for a moment. */
function flash(button: HTMLButtonElement, label: string, text: string): void {
  button.textContent = text;
  announce(text);
  setTimeout(() => {
    button.textContent = label;
  }, feedbackMs);
}

/** `<code-block>`: adds Copy, and for `data-run` Run, which hands the code to the workspace's terminal. */
class CodeBlock extends HTMLElement {
  connectedCallback(): void {
    const caption = this.querySelector('.code-caption');
    if (caption === null || this.querySelector('.code-actions') !== null) return;
    this.#watchOverflow();
    const actions = document.createElement('div');
    actions.className = 'code-actions';
    if (this.hasAttribute('data-run')) {
      const run = makeButton('Run in terminal', 'Type this into the terminal and run it', (button) => {
        document.dispatchEvent(new CustomEvent('ballast:run', { detail: { code: this.#code() } }));
        flash(button, 'Run in terminal', 'Sent to terminal');
      });
      run.classList.add('code-run');
      actions.append(run);
    }
    actions.append(
      makeButton('Copy', 'Copy to the clipboard', (button) => {
        navigator.clipboard.writeText(this.#code()).then(
          () => {
            flash(button, 'Copy', 'Copied');
          },
          () => {
            flash(button, 'Copy', 'Could not copy');
          },
        );
      }),
    );
    caption.append(actions);
  }

  /** Only a block that scrolls needs to be a stop of the Tab key. */
  #watchOverflow(): void {
    const pre = this.querySelector('pre');
    if (pre === null) return;
    new ResizeObserver(() => {
      pre.tabIndex = pre.scrollWidth > pre.clientWidth ? 0 : -1;
    }).observe(pre);
  }

  #code(): string {
    return this.querySelector('pre code')?.textContent ?? '';
  }
}

customElements.define('code-block', CodeBlock);
