import { runChecks } from '../checks/index.ts';
import type { RunChecksOptions } from '../checks/index.ts';
import type { Lab } from '../labs/index.ts';
import type { CheckResult, LabResult } from '../protocol/index.ts';

export interface JudgeOptions extends Pick<RunChecksOptions, 'kinds' | 'onStart' | 'onResult' | 'onError'> {
  /** Longest time that building and judging may take, in ms; what is not judged by then has failed. */
  readonly timeoutMs?: number;
}

type Context = Parameters<typeof runChecks>[1];

/**
 * `runChecks`, with a limit on the time of all checks together. A submission that uses it up has failed the check that
 * was being judged and the ones after it: it hangs, or means to, and is not owed a retry.
 */
export async function runChecksInTime(
  lab: Pick<Lab, 'id' | 'checks'>,
  context: Context,
  options: JudgeOptions,
  signal: AbortSignal | undefined,
): Promise<LabResult> {
  const { timeoutMs, ...running } = options;
  if (timeoutMs === undefined)
    return runChecks(lab, context, { ...running, ...(signal === undefined ? {} : { signal }) });

  const started = performance.now();
  const limit = AbortSignal.timeout(timeoutMs);
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
    const left = order.slice(judged.length).map((id, index) => outOfTime(lab, id, index === 0, timeoutMs));
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

function outOfTime(lab: Pick<Lab, 'checks'>, id: string, running: boolean, timeoutMs: number): CheckResult {
  const check = lab.checks.find((one) => one.id === id);
  const limit = `${String(Math.round(timeoutMs / 1000))} seconds`;
  return {
    id,
    title: check?.title ?? id,
    points: check?.points ?? 0,
    status: running ? 'fail' : 'skip',
    expected: running ? `The submission is built and judged within ${limit}.` : '',
    actual: running
      ? `Time ran out after ${limit}: this check was still going on and was stopped.`
      : `Not looked at: time ran out after ${limit}.`,
    hint: running ? 'Look for a build step, a test or a service that never ends.' : '',
    durationMs: running ? timeoutMs : 0,
  };
}
