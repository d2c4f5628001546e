/** Gap between word and definition, in pixels; and from the window's edge. */
const gap = 6;
const margin = 12;
/** The pointer may cross the gap to reach the definition. */
const leaveMs = 150;

/**
 * `<glossary-term>`: shows the definition of its word while the pointer is on either, or the word has the focus. Escape
 * hides it; a first tap shows it, a second follows the link.
 */
class GlossaryTerm extends HTMLElement {
  #stop = new AbortController();
  #leaving: ReturnType<typeof setTimeout> | undefined;

  connectedCallback(): void {
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    const link = this.querySelector('a');
    const tip = this.querySelector<HTMLElement>('[role="tooltip"]');
    if (link === null || tip === null) return;
    const show = (): void => {
      clearTimeout(this.#leaving);
      this.#show(link, tip);
    };
    const hide = (): void => {
      clearTimeout(this.#leaving);
      if (tip.matches(':popover-open')) tip.hidePopover();
    };
    this.addEventListener(
      'pointerenter',
      (event) => {
        if (event.pointerType !== 'touch') show();
      },
      { signal },
    );
    this.addEventListener(
      'pointerleave',
      (event) => {
        if (event.pointerType !== 'touch' && document.activeElement !== link) this.#leaving = setTimeout(hide, leaveMs);
      },
      { signal },
    );
    link.addEventListener('focus', show, { signal });
    link.addEventListener('blur', hide, { signal });
    // The tap focuses the link before it is a click: what counts is whether it was open when the finger came down.
    let wasOpen = false;
    link.addEventListener('pointerdown', () => (wasOpen = tip.matches(':popover-open')), { signal });
    link.addEventListener(
      'click',
      (event) => {
        if (!(event instanceof PointerEvent) || event.pointerType !== 'touch' || wasOpen) return;
        event.preventDefault();
        show();
      },
      { signal },
    );
    document.addEventListener(
      'keydown',
      (event) => {
        if (event.key === 'Escape') hide();
      },
      { signal },
    );
    addEventListener('scroll', hide, { signal, passive: true });
  }

  disconnectedCallback(): void {
    this.#stop.abort();
    clearTimeout(this.#leaving);
  }

  #show(link: HTMLElement, tip: HTMLElement): void {
    if (tip.matches(':popover-open')) return;
    tip.showPopover();
    // A word may break over two lines: its first piece is where the eye is.
    const word = link.getClientRects()[0] ?? link.getBoundingClientRect();
    const { width, height } = tip.getBoundingClientRect();
    const above = word.top - height - gap;
    const left = Math.min(Math.max(margin, word.left), innerWidth - width - margin);
    tip.style.left = `${String(left)}px`;
    tip.style.top = `${String(above >= margin ? above : word.bottom + gap)}px`;
  }
}

customElements.define('glossary-term', GlossaryTerm);
