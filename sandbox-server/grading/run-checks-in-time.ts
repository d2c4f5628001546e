import { runChecks } from '../checks/index.ts';
import type { RunChecksOptions } from '../checks/index.ts';
import type { Lab } from '../labs/index.ts';
import type { CheckResult, LabResult } from '../protocol/index.ts';
import { LimitPassed } from './watch-disk.ts';

export interface JudgeOptions extends Pick<RunChecksOptions, 'kinds' | 'onStart' | 'onResult' | 'onError'> {
  /** Longest time that building and judging may take, in ms; what is not judged by then has failed. */
  readonly timeoutMs?: number;
}

type Context = Parameters<typeof runChecks>[1];

/**
 * `runChecks`, with limits on the time and the disk of all checks together. A submission that passes one has failed the
 * check that was being judged and the ones after it: it hangs or fills the disk, or means to, and is not owed a retry.
 * @param signals.signal ends it from outside
 * @param signals.passed aborted with LimitPassed by who watches the disk; with anything else, that is thrown
 */
export async function runChecksInTime(
  lab: Pick<Lab, 'id' | 'checks'>,
  context: Context,
  options: JudgeOptions,
  { signal, passed }: { readonly signal: AbortSignal | undefined; readonly passed: AbortSignal },
): Promise<LabResult> {
  const { timeoutMs, ...running } = options;
  const limit = timeoutMs === undefined ? passed : AbortSignal.any([passed, AbortSignal.timeout(timeoutMs)]);
  const started = performance.now();
  const judged: CheckResult[] = [];
  let order: readonly string[] = [];
  try {
    return await runChecks(lab, context, {
      ...running,
      signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
      onStart: (ids) => {
        order = ids;
        running.onStart?.(ids);
      },
      onResult: (result) => {
        judged.push(result);
        running.onResult?.(result);
      },
      onError: (id, error, errorId) => {
        if (!limit.aborted) running.onError?.(id, error, errorId);
      },
    });
  } catch (error) {
    if (!limit.aborted || signal?.aborted === true) throw error;
    const why = passedLimit(limit.reason, timeoutMs ?? 0);
    const ranMs = Math.round(performance.now() - started);
    const left = order.slice(judged.length).map((id, index) => pastLimit(lab, id, why, index === 0 ? ranMs : null));
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
  }
}

/** @throws the reason where it is no fault of the submission */
function passedLimit(reason: unknown, timeoutMs: number): LimitPassed {
  if (reason instanceof LimitPassed) return reason;
  if (!(reason instanceof DOMException)) throw reason;
  const limit = `${String(Math.round(timeoutMs / 1000))} seconds`;
  return new LimitPassed({
    expected: `The submission is built and judged within ${limit}.`,
    actual: `Time ran out after ${limit}.`,
    hint: 'Look for a build step, a test or a service that never ends.',
  });
}

/** @param ranMs of the check that was being judged; null for those after it */
function pastLimit(lab: Pick<Lab, 'checks'>, id: string, why: LimitPassed, ranMs: number | null): CheckResult {
  const check = lab.checks.find((one) => one.id === id);
  const running = ranMs !== null;
  return {
    id,
    title: check?.title ?? id,
    points: check?.points ?? 0,
    status: running ? 'fail' : 'skip',
    expected: running ? why.expected : '',
    actual: running ? `${why.message} This check was still going on and was stopped.` : `Not looked at. ${why.message}`,
    hint: running ? why.hint : '',
    durationMs: ranMs ?? 0,
  };
}
