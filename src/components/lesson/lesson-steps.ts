import { z } from 'zod';
import {
  isDone,
  judged,
  mark,
  noProgress,
  readProgress,
  stepAt,
  writeProgress,
  type LessonProgress,
  type LessonStep,
} from '../../client/lesson-progress.ts';
import { parseMessage } from '../../client/parse-message.ts';
import { forgivingStore } from '../../client/storage.ts';
import { onChecks, type ChecksState } from '../check-events.ts';
import { StepEnd } from './step-end.ts';

const stepsSchema = z.array(z.object({ slug: z.string(), title: z.string(), checks: z.array(z.string()) }));
const titlesSchema = z.record(z.string(), z.string());

/** Below the sticky header and bar, in pixels: a heading above this line has been reached. */
const readingLine = 180;

/** `<lesson-steps>`: shows which step the reader is in and which are done, and keeps that in the browser. */
class LessonSteps extends HTMLElement {
  #stop = new AbortController();
  #steps: readonly LessonStep[] = [];
  #ends: readonly StepEnd[] = [];
  #progress: LessonProgress = noProgress;
  #current = -1;
  readonly #store = forgivingStore(() => localStorage);

  connectedCallback(): void {
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    this.#steps = parseMessage(stepsSchema, this.dataset['steps'] ?? '') ?? [];
    if (this.#steps.length === 0) return;
    this.#progress = readProgress(this.#store, this.#lesson);
    this.#buildBar();
    this.#fillEnds();
    this.dataset['live'] = '';
    onChecks((state) => {
      this.#onChecks(state);
    }, signal);
    addEventListener('scroll', this.#onScroll, { signal, passive: true });
    addEventListener('resize', this.#onScroll, { signal, passive: true });
    // Another page of this lesson may have got further.
    addEventListener(
      'storage',
      () => {
        this.#progress = readProgress(this.#store, this.#lesson);
        this.#show();
      },
      { signal },
    );
    this.#closeMenuWhenLeft(signal);
    this.#onScroll();
    this.#show();
  }

  disconnectedCallback(): void {
    this.#stop.abort();
  }

  get #lesson(): string {
    return this.dataset['lesson'] ?? '';
  }

  #buildBar(): void {
    const summary = this.querySelector('summary');
    if (summary?.querySelector('.count') !== null) return;
    const count = document.createElement('span');
    count.className = 'count';
    const meter = document.createElement('span');
    meter.className = 'meter';
    meter.append(document.createElement('span'));
    summary.append(count);
    summary.parentElement?.append(meter);
  }

  /** The n-th end that has a step before it is the end of the n-th step. */
  #fillEnds(): void {
    const titles = parseMessage(titlesSchema, this.dataset['checkTitles'] ?? '') ?? {};
    const [first, ...ends] = [...document.querySelectorAll<StepEnd>('step-end')];
    if (first !== undefined) first.dataset['none'] = '';
    this.#ends = ends;
    for (const [index, end] of ends.entries()) {
      const step = this.#steps[index];
      if (step === undefined) continue;
      end.fill({
        step,
        checkTitles: titles,
        next: this.#steps[index + 1],
        onMark: (done) => {
          this.#save(mark(this.#progress, step.slug, done));
        },
      });
    }
  }

  #onChecks(state: ChecksState): void {
    for (const end of this.#ends) end.setWorkspace(state);
    if (state.verdicts.size > 0) this.#save(judged(this.#progress, state.verdicts));
  }

  #save(progress: LessonProgress): void {
    this.#progress = progress;
    writeProgress(this.#store, this.#lesson, progress);
    this.#show();
  }

  #show(): void {
    const done = this.#steps.map((step) => isDone(step, this.#progress));
    const items = this.querySelectorAll<HTMLElement>('li');
    for (const [index, isIt] of done.entries()) {
      items[index]?.toggleAttribute('data-done', isIt);
      this.#ends[index]?.show(isIt, this.#progress.passed);
      const link = items[index]?.querySelector('a');
      // The tick is drawn by the style sheet: it is told in words here.
      const title = this.#steps[index]?.title ?? '';
      if (isIt) link?.setAttribute('aria-label', `${title} (done)`);
      else link?.removeAttribute('aria-label');
    }
    const number = done.filter(Boolean).length;
    const count = this.querySelector('.count');
    if (count !== null) count.textContent = `${String(number)} of ${String(done.length)} done`;
    const meter = this.querySelector<HTMLElement>('.meter > span');
    if (meter !== null) meter.style.width = `${String((100 * number) / done.length)}%`;
  }

  readonly #onScroll = (): void => {
    const tops = this.#steps.map(({ slug }) => document.getElementById(slug)?.getBoundingClientRect().top ?? Infinity);
    const current = stepAt(tops, readingLine);
    if (current === this.#current) return;
    this.#current = current;
    for (const [index, item] of this.querySelectorAll('li').entries()) {
      const link = item.querySelector('a');
      if (index === current) link?.setAttribute('aria-current', 'step');
      else link?.removeAttribute('aria-current');
    }
    const where = this.querySelector('.where');
    const number = document.createElement('b');
    number.textContent = `${String(current + 1)}/${String(this.#steps.length)}`;
    where?.replaceChildren(number, this.#steps[current]?.title ?? '');
  };

  #closeMenuWhenLeft(signal: AbortSignal): void {
    const details = this.querySelector('details');
    const close = (): void => {
      if (details !== null) details.open = false;
    };
    document.addEventListener(
      'click',
      (event) => {
        const { target } = event;
        if (!(target instanceof Element) || !this.contains(target) || target.closest('a') !== null) close();
      },
      { signal },
    );
    this.addEventListener(
      'keydown',
      (event) => {
        if (event.key !== 'Escape' || details?.open !== true) return;
        close();
        this.querySelector('summary')?.focus();
      },
      { signal },
    );
    this.addEventListener(
      'focusout',
      (event) => {
        if (event.relatedTarget instanceof Node && !this.contains(event.relatedTarget)) close();
      },
      { signal },
    );
  }
}

customElements.define('step-end', StepEnd);
customElements.define('lesson-steps', LessonSteps);
