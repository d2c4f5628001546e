import { attachSplitter } from './splitter.ts';
import { onTabKey } from './tab-keys.ts';
import { announceView, narrowQuery, onShowView, views, type View } from './views.ts';

/** `<lesson-workspace>`: the split between lesson and workspace, and on a narrow screen the tabs between them. */
class LessonWorkspace extends HTMLElement {
  #stop = new AbortController();
  #view: View = 'lesson';
  #lessonScroll = 0;

  connectedCallback(): void {
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    const handle = this.querySelector<HTMLElement>(':scope > .splitter');
    if (handle !== null) {
      const detach = attachSplitter(handle, {
        axis: 'x',
        storageKey: 'ballast.split.lesson',
        initial: 42,
        minBefore: 300,
        minAfter: 440,
      });
      signal.addEventListener('abort', detach);
    }
    for (const tab of this.#tabs()) {
      tab.addEventListener(
        'click',
        () => {
          this.#show(tab.dataset['view']);
        },
        { signal },
      );
      tab.addEventListener('keydown', onTabKey, { signal });
    }
    onShowView((view) => {
      this.#show(view);
    }, signal);
    const narrow = matchMedia(narrowQuery);
    narrow.addEventListener(
      'change',
      () => {
        this.#describe(narrow.matches);
      },
      { signal },
    );
    this.#describe(narrow.matches);
    this.#show(this.#view);
  }

  disconnectedCallback(): void {
    this.#stop.abort();
  }

  #tabs(): readonly HTMLElement[] {
    return [...this.querySelectorAll<HTMLElement>(':scope > .views [role="tab"]')];
  }

  #show(wanted: string | undefined): void {
    const view = views.find((each) => each === wanted);
    if (view === undefined) return;
    if (this.#view === 'lesson' && view !== 'lesson') this.#lessonScroll = scrollY;
    const back = this.#view !== 'lesson' && view === 'lesson';
    this.#view = view;
    this.dataset['view'] = view;
    for (const tab of this.#tabs()) {
      const selected = tab.dataset['view'] === view;
      tab.setAttribute('aria-selected', String(selected));
      tab.tabIndex = selected ? 0 : -1;
    }
    if (back && matchMedia(narrowQuery).matches) scrollTo({ top: this.#lessonScroll, behavior: 'instant' });
    announceView(view);
  }

  /** The lesson is a tab panel only while there are tabs. */
  #describe(narrow: boolean): void {
    const lesson = this.querySelector(':scope > .lesson');
    if (narrow) {
      lesson?.setAttribute('role', 'tabpanel');
      lesson?.setAttribute('aria-labelledby', 'view-lesson');
    } else {
      lesson?.removeAttribute('role');
      lesson?.removeAttribute('aria-labelledby');
    }
  }
}

customElements.define('lesson-workspace', LessonWorkspace);
