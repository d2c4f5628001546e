import { readProgress } from '../client/lesson-progress.ts';
import { forgivingStore } from '../client/storage.ts';

/** `<lesson-mark data-lesson>`: says on a card that this browser has begun the lesson. */
class LessonMark extends HTMLElement {
  connectedCallback(): void {
    const { marked, passed } = readProgress(
      forgivingStore(() => localStorage),
      this.dataset['lesson'] ?? '',
    );
    const parts = [
      ...(marked.length > 0 ? [`${String(marked.length)} ${marked.length === 1 ? 'step' : 'steps'} marked`] : []),
      ...(passed.length > 0 ? [`${String(passed.length)} ${passed.length === 1 ? 'check' : 'checks'} passed`] : []),
    ];
    this.textContent = parts.join(', ');
  }
}

customElements.define('lesson-mark', LessonMark);
