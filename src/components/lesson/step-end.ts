import type { LessonStep } from '../../client/lesson-progress.ts';
import { requestChecks, type ChecksState } from '../check-events.ts';

/** What the end of a step needs to know of it. */
export interface StepEndOptions {
  readonly step: LessonStep;
  /** By id. */
  readonly checkTitles: Readonly<Record<string, string>>;
  readonly next: LessonStep | undefined;
  readonly onMark: (done: boolean) => void;
}

/** `<step-end>`: says what completes a step, lets the learner mark or check it, and leads on once it is done. */
export class StepEnd extends HTMLElement {
  #options: StepEndOptions | undefined;
  #done = false;
  readonly #text = document.createElement('p');
  readonly #button = document.createElement('button');
  readonly #checks = document.createElement('ul');

  /** Called once, when the page knows its steps. */
  fill(options: StepEndOptions): void {
    this.#options = options;
    const { step } = options;
    this.#button.type = 'button';
    this.#button.addEventListener('click', () => {
      if (this.#button.getAttribute('aria-disabled') === 'true') return;
      if (step.checks.length > 0) requestChecks(step.checks);
      else options.onMark(!this.#done);
    });
    if (step.checks.length === 0) {
      this.#button.textContent = 'Mark as done';
      this.#button.setAttribute('aria-label', `Mark as done: ${step.title}`);
      this.replaceChildren(this.#text, this.#button);
      return;
    }
    this.#button.textContent = 'Check this step';
    this.#button.setAttribute('aria-disabled', 'true');
    this.#checks.replaceChildren(
      ...step.checks.map((id) => {
        const item = document.createElement('li');
        item.dataset['check'] = id;
        return item;
      }),
    );
    this.replaceChildren(this.#text, this.#button, this.#checks);
  }

  /** Whether there is something to check, and whether it is being checked. */
  setWorkspace({ ready, running }: ChecksState): void {
    if (this.#options?.step.checks.length === 0) return;
    this.#button.setAttribute('aria-disabled', String(!ready || running));
    this.#button.textContent = running ? 'Checking …' : 'Check this step';
    this.#button.title = ready ? '' : 'Start the sandbox first';
  }

  show(done: boolean, passed: readonly string[]): void {
    if (this.#options === undefined) return;
    const { step, next } = this.#options;
    this.#done = done;
    this.toggleAttribute('data-done', done);
    if (step.checks.length === 0) this.#button.setAttribute('aria-pressed', String(done));
    for (const item of this.#checks.children) {
      if (!(item instanceof HTMLElement)) continue;
      const id = item.dataset['check'] ?? '';
      const has = passed.includes(id);
      item.toggleAttribute('data-passed', has);
      item.textContent = `${this.#options.checkTitles[id] ?? id}${has ? ' (passes)' : ''}`;
    }
    if (!done) {
      this.#text.textContent = step.checks.length > 0 ? 'This step is done when these checks pass:' : '';
      return;
    }
    this.#text.textContent = next === undefined ? 'Done. That was the last step.' : 'Done. Next: ';
    if (next !== undefined) {
      const link = document.createElement('a');
      link.href = `#${next.slug}`;
      link.textContent = next.title;
      this.#text.append(link);
    }
  }
}
