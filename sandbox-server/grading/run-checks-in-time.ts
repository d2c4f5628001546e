import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { runChecks } from '../checks/index.ts';
import type { RunChecksOptions } from '../checks/index.ts';
import { looksPerLimit, mostPatience } from '../checks/fair-share.ts';
import type { Lab } from '../labs/index.ts';
import { BallastError } from '../protocol/index.ts';
import type { CheckResult, LabResult } from '../protocol/index.ts';

export interface JudgeOptions extends Pick<RunChecksOptions, 'kinds' | 'onStart' | 'onResult' | 'onError'> {
  /** Longest time that building and judging may take, in ms; what is not judged by then has failed. */
  readonly timeoutMs?: number;
}

/** What is known of the sandbox from outside of it. */
export interface Overseer {
  readonly blame: NonNullable<RunChecksOptions['blame']>;
  /** Aborts, with a StoppedShort for its reason, when the submission has used up what the sandbox may not go beyond. */
  readonly signal: AbortSignal;
  /** Asked when time has run out: false when the host was too busy to say whose fault that is. */
  readonly hadItsShare: () => Promise<boolean>;
}

/** Why a submission was stopped, for its author. */
export class StoppedShort extends Error {
  readonly expected: string;
  readonly hint: string;
  /** False when the host may be to blame. */
  readonly fair: boolean;
  constructor(
    told: { readonly expected: string; readonly actual: string; readonly hint: string },
    { fair = true }: { readonly fair?: boolean } = {},
  ) {
    super(told.actual);
    this.fair = fair;
    this.expected = told.expected;
    this.hint = told.hint;
  }
}

type Context = Parameters<typeof runChecks>[1];

/**
 * `runChecks`, with limits on all checks together. A submission that uses one up has failed the check that was being
 * judged and the ones after it: it hangs, or means to, and is not owed a retry. On a busy host it gets more time; where
 * even that is not its fair share of the machine, it could not be graded.
 */
export async function runChecksInTime(
  lab: Pick<Lab, 'id' | 'checks'>,
  context: Context,
  options: JudgeOptions & { readonly overseer: Overseer },
  signal: AbortSignal | undefined,
): Promise<LabResult> {
  const { timeoutMs, overseer, ...running } = options;
  const started = performance.now();
  const limit = new AbortController();
  const ended = new AbortController();
  if (timeoutMs !== undefined) {
    void waitForLimit(timeoutMs, overseer.hadItsShare, ended.signal).then((fair) => {
      limit.abort(outOfTime(timeoutMs, fair));
    }, nothing);
  }
  const stops = AbortSignal.any([limit.signal, overseer.signal]);
  const judged: CheckResult[] = [];
  let order: readonly string[] = [];
  try {
    return await runChecks(lab, context, {
      ...running,
      blame: overseer.blame,
      signal: signal === undefined ? stops : AbortSignal.any([signal, stops]),
      onStart: (ids) => {
        order = ids;
        running.onStart?.(ids);
      },
      onResult: (result) => {
        judged.push(result);
        running.onResult?.(result);
      },
      onError: (id, error, errorId) => {
        if (!stops.aborted) running.onError?.(id, error, errorId);
      },
    });
  } catch (error) {
    const why: unknown = stops.reason;
    if (!(why instanceof StoppedShort) || signal?.aborted === true) throw error;
    const errorId = randomBytes(6).toString('hex');
    const left = order.slice(judged.length).map((id, index) => {
      const told = index > 0 ? notReached(why) : why.fair ? failed(why) : tooBusy(errorId);
      return stopped(lab, id, index > 0 ? 0 : Math.round(performance.now() - started), told);
    });
    const [judging] = left;
    if (!why.fair && judging !== undefined) running.onError?.(judging.id, new BallastError('host_busy'), errorId);
    for (const result of left) running.onResult?.(result);
    const checks = [...judged, ...left];
    const points = (results: readonly CheckResult[]): number => results.reduce((sum, result) => sum + result.points, 0);
    return {
      lab: lab.id,
      mode: context.mode,
      outcome: checks.some(({ status }) => status === 'error') ? 'ungradable' : 'failed',
      score: points(checks.filter(({ status }) => status === 'pass')),
      maxScore: points(checks),
      durationMs: Math.round(performance.now() - started),
      engine: 'unknown',
      checks,
    };
  } finally {
    ended.abort();
  }
}

/** Resolves when time has run out: whether with the submission's fair share. Rejects when `signal` aborts. */
async function waitForLimit(
  timeoutMs: number,
  hadItsShare: () => Promise<boolean>,
  signal: AbortSignal,
): Promise<boolean> {
  const until = performance.now() + timeoutMs * mostPatience;
  await delay(timeoutMs, undefined, { signal });
  while (!(await hadItsShare())) {
    if (performance.now() >= until) return false;
    await delay(timeoutMs / looksPerLimit, undefined, { signal });
  }
  return true;
}

const nothing = (): void => undefined;

function outOfTime(timeoutMs: number, fair: boolean): StoppedShort {
  const limit = `${String(Math.round(timeoutMs / 1000))} seconds`;
  const told = {
    expected: `The submission is built and judged within ${limit}.`,
    actual: `Time ran out after ${limit}: this check was still going on and was stopped.`,
    hint: 'Look for a build step, a test or a service that never ends.',
  };
  return new StoppedShort(told, { fair });
}

type Told = Pick<CheckResult, 'status' | 'expected' | 'actual' | 'hint' | 'errorId'>;

const failed = (why: StoppedShort): Told => ({
  status: 'fail',
  expected: why.expected,
  actual: why.message,
  hint: why.hint,
});

const notReached = (why: StoppedShort): Told => ({
  status: 'skip',
  expected: '',
  actual: `Not looked at: the submission was stopped. ${why.message}`,
  hint: '',
});

function tooBusy(errorId: string): Told {
  const { message, hint } = new BallastError('host_busy');
  return { status: 'error', expected: '', actual: message, hint: `${hint}\nThe error id is ${errorId}.`, errorId };
}

function stopped(lab: Pick<Lab, 'checks'>, id: string, durationMs: number, told: Told): CheckResult {
  const check = lab.checks.find((one) => one.id === id);
  return { id, title: check?.title ?? id, points: check?.points ?? 0, durationMs, ...told };
}
