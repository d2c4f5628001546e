import { randomBytes } from 'node:crypto';
import { plainText } from '../checks/plain-text.ts';
import type { Lab } from '../labs/index.ts';
import { BallastError } from '../protocol/index.ts';
import type { GraderOptions } from './clean-room.ts';
import { gradeSubmission } from './grade-submission.ts';
import type { SubmissionSource } from './grade-submission.ts';
import type { Graded, Refusal } from './graded.ts';
import { inParallel } from './in-parallel.ts';
import type { JudgeOptions } from './run-checks-in-time.ts';

/** A submission that is still to be opened: a file is opened when its turn comes, not all at once. */
export interface NamedSubmission {
  readonly name: string;
  readonly open: () => SubmissionSource;
}

export interface GradeManyOptions extends GraderOptions, Pick<JudgeOptions, 'kinds' | 'timeoutMs'> {
  /** Submissions graded at the same time, each in a sandbox of its own. */
  readonly jobs: number;
  readonly onCheck?: (name: string, title: string, status: string) => void;
  readonly onGraded?: (graded: Graded) => void;
  /** What failed on our side, for the log. `errorId` is in the report as well. */
  readonly onError?: (name: string, errorId: string, error: unknown) => void;
}

/**
 * Grade submissions of one lab, some at a time. Whatever is wrong with one costs only that one.
 * @returns what became of each, in the order given.
 * @throws only the reason of `signal`.
 */
export async function gradeMany(
  lab: Lab,
  submissions: readonly NamedSubmission[],
  options: GradeManyOptions,
): Promise<Graded[]> {
  return inParallel(submissions, options.jobs, async (submission) => {
    options.signal?.throwIfAborted();
    const graded = await gradeOne(lab, submission, options);
    options.signal?.throwIfAborted();
    options.onGraded?.(graded);
    return graded;
  });
}

async function gradeOne(lab: Lab, { name, open }: NamedSubmission, options: GradeManyOptions): Promise<Graded> {
  const started = performance.now();
  const errorId = randomBytes(4).toString('hex');
  const { onCheck, onError } = options;
  let memoryPeakBytes: number | null = null;
  try {
    const result = await gradeSubmission(lab, open(), {
      ...options,
      onUse: (use) => {
        ({ memoryPeakBytes } = use);
      },
      onResult: ({ title, status }) => onCheck?.(name, title, status),
      onError: (id, error, checkErrorId) => onError?.(`${name}, check ${id}`, checkErrorId, error),
    });
    return { name, durationMs: performance.now() - started, memoryPeakBytes, result, refusal: null };
  } catch (error) {
    // What was broken off says nothing of the submission, nor of this machine.
    options.signal?.throwIfAborted();
    const refusal = refusalOf(error, errorId);
    if (refusal.outcome === 'ungradable') onError?.(name, errorId, error);
    return { name, durationMs: performance.now() - started, memoryPeakBytes, result: null, refusal };
  }
}

const authorsFault: ReadonlySet<string> = new Set(['bad_request', 'bad_path', 'too_large']);

function refusalOf(error: unknown, errorId: string): Refusal {
  if (!(error instanceof BallastError)) {
    const { message, hint } = new BallastError('grade_failed').toBody();
    return { outcome: 'ungradable', message, hint, errorId };
  }
  // They quote names in the submission, and go to terminals and files.
  const [message, hint] = [plainText(error.message), plainText(error.hint)];
  if (authorsFault.has(error.code)) return { outcome: 'refused', message, hint, errorId: '' };
  return { outcome: 'ungradable', message, hint, errorId };
}
