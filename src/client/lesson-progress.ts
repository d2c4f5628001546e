import { z } from 'zod';
import { parseMessage } from './parse-message.ts';
import type { KeyValueStore } from './storage.ts';

/** One step of a lesson, as its page tells it. */
export interface LessonStep {
  /** Id of the step's heading. */
  readonly slug: string;
  readonly title: string;
  /** Checks of the lesson's lab that complete the step; none: the learner marks it. */
  readonly checks: readonly string[];
}

const kept = z.object({ marked: z.array(z.string()), passed: z.array(z.string()) });

/** What one browser remembers of one lesson. */
export interface LessonProgress {
  /** Steps that the learner marked as done. */
  readonly marked: readonly string[];
  /** Checks whose last verdict was a pass. */
  readonly passed: readonly string[];
}

export const noProgress: LessonProgress = { marked: [], passed: [] };

const key = (lesson: string): string => `ballast.progress.${lesson}`;

/** What was remembered; nothing when there is none or it cannot be read. */
export function readProgress(store: KeyValueStore, lesson: string): LessonProgress {
  return parseMessage(kept, store.getItem(key(lesson)) ?? '') ?? noProgress;
}

export function writeProgress(store: KeyValueStore, lesson: string, progress: LessonProgress): void {
  store.setItem(key(lesson), JSON.stringify(progress));
}

/** The progress with a step's mark set or taken back. */
export function mark(progress: LessonProgress, slug: string, done: boolean): LessonProgress {
  const others = progress.marked.filter((each) => each !== slug);
  return { ...progress, marked: done ? [...others, slug] : others };
}

/**
 * The progress after verdicts. A pass is kept when its session ends, and taken back by a later failure; checks without
 * a verdict change nothing.
 */
export function judged(progress: LessonProgress, verdicts: ReadonlyMap<string, 'pass' | 'fail'>): LessonProgress {
  const others = progress.passed.filter((id) => !verdicts.has(id));
  return {
    ...progress,
    passed: [...others, ...[...verdicts].flatMap(([id, verdict]) => (verdict === 'pass' ? id : []))],
  };
}

/** Whether a step is done: all of its checks pass, or, without any, the learner said so. */
export function isDone({ slug, checks }: LessonStep, progress: LessonProgress): boolean {
  if (checks.length === 0) return progress.marked.includes(slug);
  return checks.every((id) => progress.passed.includes(id));
}

/** The step that a reader is in: the last whose heading is at or above the line; the first before any is. */
export function stepAt(tops: readonly number[], line: number): number {
  return Math.max(
    0,
    tops.findLastIndex((top) => top <= line),
  );
}
