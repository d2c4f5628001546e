import { randomBytes } from 'node:crypto';
import type { Lab, LabCheck } from '../labs/index.ts';
import { BallastError } from '../protocol/index.ts';
import type { CheckResult, LabResult } from '../protocol/index.ts';
import { CheckFailed } from './check-failed.ts';
import type { Failed } from './check-failed.ts';
import type { CheckContext, Verdict } from './check-kind.ts';
import { dockerCli } from './docker-cli.ts';
import { dockerfilesOf } from './image-origin.ts';
import type { CheckKinds } from './kinds/index.ts';
import { orderChecks } from './order.ts';
import { plainText } from './plain-text.ts';

export type { Failed };

export interface RunChecksOptions {
  readonly kinds: CheckKinds;
  /** Judge only these checks and what they need; all when left out. The result then speaks of these alone. */
  readonly ids?: readonly string[];
  /** Checks at the same time, where they do not need one another; one after another when left out. */
  readonly concurrency?: number;
  /** Gone caller: the run stops and `runChecks` rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called once, before the first check, with the ids that will be judged, in order. */
  readonly onStart?: (ids: readonly string[]) => void;
  /** Called as each check ends. */
  readonly onResult?: (result: CheckResult) => void;
  /**
   * Called with what a check threw, for the log, and the id that the learner is shown: by it the log tells the rest.
   * The learner is only told that it is not their fault.
   */
  readonly onError?: (id: string, error: unknown, errorId: string) => void;
  /** Asked about what a check threw: a verdict where it was, all the same, the doing of what is judged. */
  readonly blame?: (error: unknown) => Promise<Failed | undefined>;
}

/**
 * Judge a lab in one sandbox, each check after those that it needs.
 * A check that throws or runs out of time is `error`, never `fail`, and makes the outcome `ungradable`.
 * @throws only when `signal` aborts.
 */
export async function runChecks(
  lab: Pick<Lab, 'id' | 'checks'>,
  context: Omit<CheckContext, 'signal'>,
  options: RunChecksOptions,
): Promise<LabResult> {
  const started = performance.now();
  const checks = orderChecks(lab.checks, options.ids);
  options.onStart?.(checks.map((check) => check.id));
  const [engine, results] = await Promise.all([
    engineVersion(context, options.signal),
    judgeAll(checks, { owedProofs: new Map(), dockerfiles: dockerfilesOf(lab.checks), ...context }, options),
  ]);
  const judged = checks.flatMap(({ id }) => results.get(id) ?? []);
  return {
    lab: lab.id,
    mode: context.mode,
    outcome: outcomeOf(judged),
    score: sum(judged.filter((result) => result.status === 'pass').map((result) => result.points)),
    maxScore: sum(judged.map((result) => result.points)),
    durationMs: elapsed(started),
    engine,
    checks: judged,
  };
}

/** Begins whenever there is room with the first check, as written, that needs none of those not yet judged. */
async function judgeAll(
  checks: readonly LabCheck[],
  context: Omit<CheckContext, 'signal'>,
  options: RunChecksOptions,
): Promise<ReadonlyMap<string, CheckResult>> {
  const { kinds, concurrency = 1, signal } = options;
  const results = new Map<string, CheckResult>();
  const waiting = [...checks];
  const running = new Map<LabCheck, Promise<void>>();
  const isAlone = ({ kind }: LabCheck): boolean => kinds.get(kind)?.alone === true;
  const isReady = (check: LabCheck): boolean =>
    !waiting.some(({ id }) => id !== check.id && check.needs.includes(id)) &&
    ![...running.keys()].some(({ id }) => check.needs.includes(id));
  const hasRoom = (check: LabCheck): boolean =>
    running.size < concurrency && (running.size === 0 || (!isAlone(check) && ![...running.keys()].some(isAlone)));

  const begin = async (check: LabCheck): Promise<void> => {
    try {
      const result = await judge(check, checks, results, context, options);
      if (signal?.aborted === true) return;
      results.set(check.id, result);
      options.onResult?.(result);
    } finally {
      running.delete(check);
    }
  };
  while (waiting.length > 0 || running.size > 0) {
    signal?.throwIfAborted();
    // Where checks need one another in a circle, the first of them begins.
    const ready = waiting.filter(isReady);
    const next = (ready.length === 0 && running.size === 0 ? waiting : ready).find(hasRoom);
    if (next === undefined) {
      await Promise.race(running.values());
      continue;
    }
    waiting.splice(waiting.indexOf(next), 1);
    const judging = begin(next);
    // It is waited for above; where another one ends everything, this says nothing new.
    judging.catch(() => undefined);
    running.set(next, judging);
  }
  signal?.throwIfAborted();
  return results;
}

async function judge(
  check: LabCheck,
  checks: readonly LabCheck[],
  earlier: ReadonlyMap<string, CheckResult>,
  context: Omit<CheckContext, 'signal'>,
  options: RunChecksOptions,
): Promise<CheckResult> {
  const started = performance.now();
  const result = (status: CheckResult['status'], expected: string, actual: string, hint: string): CheckResult => ({
    id: check.id,
    title: check.title,
    points: check.points,
    status,
    expected: plainText(expected),
    actual: plainText(actual),
    hint: plainText(hint),
    durationMs: elapsed(started),
  });

  const blocking = check.needs.map((need) => earlier.get(need)).find((needed) => needed?.status !== 'pass');
  if (blocking !== undefined) {
    const root = rootOf(blocking, earlier, checks);
    const why = `"${root.title}" ${root.status === 'error' ? 'could not be judged' : 'has not passed'}.`;
    const through = root === blocking ? '' : `it needs "${blocking.title}", and `;
    return result('skip', '', `Not looked at: ${through}${why}`, '');
  }
  try {
    const verdict = await runInTime(check, context, options);
    if (verdict.status === 'pass') return result('pass', verdict.expected, verdict.actual, '');
    const hint = [verdict.hint, check.hint].filter((text) => text !== undefined && text !== '').join('\n');
    return result('fail', verdict.expected, verdict.actual, hint);
  } catch (error) {
    const gone = options.signal?.aborted === true;
    const own = error instanceof CheckFailed ? error.verdict : gone ? undefined : await options.blame?.(error);
    if (own !== undefined) return result('fail', own.expected, own.actual, own.hint ?? '');
    const errorId = randomBytes(6).toString('hex');
    options.onError?.(check.id, error, errorId);
    // Messages of BallastError are written for people; any other may hold what is nobody's business.
    const known = error instanceof BallastError;
    const told = result(
      'error',
      '',
      known
        ? `This check could not be done: ${error.message}`
        : 'This check could not be done: something went wrong on our side.',
      `${known ? error.hint : 'This is not your fault and costs you nothing. Run the checks again.'}\nIf it stays, report it with the error id ${errorId}.`,
    );
    return { ...told, errorId };
  }
}

/** The check that was looked at last before others were skipped for its sake, one after another. */
function rootOf(
  result: CheckResult,
  earlier: ReadonlyMap<string, CheckResult>,
  checks: readonly LabCheck[],
): CheckResult {
  if (result.status !== 'skip') return result;
  const needs = checks.find(({ id }) => id === result.id)?.needs ?? [];
  const before = needs.map((need) => earlier.get(need)).find((needed) => needed?.status !== 'pass');
  return before === undefined ? result : rootOf(before, earlier, checks);
}

async function runInTime(
  check: LabCheck,
  context: Omit<CheckContext, 'signal'>,
  options: RunChecksOptions,
): Promise<Verdict> {
  const kind = options.kinds.get(check.kind);
  if (kind === undefined)
    throw new BallastError('lab_invalid', { message: `There is no kind of check "${check.kind}".` });
  const limit = AbortSignal.timeout(kind.timeoutMs);
  const signal = options.signal === undefined ? limit : AbortSignal.any([options.signal, limit]);
  const stopped = Promise.withResolvers<never>();
  const stop = (): void => {
    const seconds = Math.round(kind.timeoutMs / 1000);
    stopped.reject(
      limit.aborted
        ? new BallastError('check_timeout', { message: `It took longer than ${seconds} seconds.` })
        : (options.signal?.reason as Error),
    );
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    // The race is for kinds that do not heed the signal.
    return await Promise.race([kind.run(check.with, { ...context, signal }), stopped.promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** One check that could not be done leaves the whole without a grade: nobody is graded by half. */
function outcomeOf(results: readonly CheckResult[]): LabResult['outcome'] {
  if (results.some((result) => result.status === 'error')) return 'ungradable';
  return results.every((result) => result.status === 'pass') ? 'passed' : 'failed';
}

async function engineVersion(context: Omit<CheckContext, 'signal'>, signal: AbortSignal | undefined): Promise<string> {
  try {
    const answer = await context.shell.run([dockerCli, 'version', '--format', '{{.Server.Version}}'], {
      timeoutMs: 15_000,
      ...(signal === undefined ? {} : { signal }),
    });
    return answer.exitCode === 0 ? plainText(answer.stdout, 40) : 'unknown';
  } catch {
    // The checks themselves will say that the sandbox does not answer, each with its reason.
    signal?.throwIfAborted();
    return 'unknown';
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
const elapsed = (since: number): number => Math.round(performance.now() - since);
