import type { CheckResult } from '../protocol/index.ts';
import { outcomeOf } from './graded.ts';
import type { Graded } from './graded.ts';

/** Version of the CTRF specification that is written. */
const specVersion = '0.0.0';

const statuses = { pass: 'passed', fail: 'failed', skip: 'skipped', error: 'other' } as const;

interface CtrfTest {
  readonly name: string;
  readonly status: (typeof statuses)[keyof typeof statuses];
  readonly duration: number;
  readonly rawStatus: string;
  readonly suite: readonly string[];
  readonly message?: string;
  readonly trace?: string;
  readonly extra: Readonly<Record<string, unknown>>;
}

/**
 * A report in the Common Test Report Format (ctrf.io): a test for each check; one that could not be done is "other", a
 * submission that is refused has failed.
 * @param generated when the grading ended; @param version of Ballast.
 */
export function toCtrf(
  lab: string,
  all: readonly Graded[],
  { generated, version }: { readonly generated: Date; readonly version: string },
): unknown {
  const tests = all.flatMap((graded) => testsOf(lab, graded));
  const count = (status: CtrfTest['status']): number => tests.filter((test) => test.status === status).length;
  const duration = all.reduce((sum, { durationMs }) => sum + Math.round(durationMs), 0);
  const stop = generated.getTime();
  return {
    reportFormat: 'CTRF',
    specVersion,
    timestamp: generated.toISOString(),
    generatedBy: 'ballast',
    results: {
      tool: { name: 'ballast', version },
      summary: {
        tests: tests.length,
        passed: count('passed'),
        failed: count('failed'),
        skipped: count('skipped'),
        pending: 0,
        other: count('other'),
        suites: all.length,
        start: stop - duration,
        stop,
      },
      tests,
    },
    extra: {
      submissions: all.map((graded) => ({
        name: graded.name,
        outcome: outcomeOf(graded),
        score: graded.result?.score ?? 0,
        maxScore: graded.result?.maxScore ?? 0,
      })),
    },
  };
}

function testsOf(lab: string, { name, result, refusal, durationMs }: Graded): CtrfTest[] {
  const suite = [name, lab];
  if (refusal !== null) {
    const { message, hint: trace, outcome, errorId } = refusal;
    const status = outcome === 'refused' ? 'failed' : 'other';
    const told = { status, duration: Math.round(durationMs), rawStatus: outcome } as const;
    return [{ name: 'submission', ...told, suite, message, trace, extra: { errorId } }];
  }
  return (result?.checks ?? []).map((check) => ({
    name: check.title,
    status: statuses[check.status],
    duration: check.durationMs,
    rawStatus: check.status,
    suite,
    ...details(check),
    extra: {
      id: check.id,
      points: check.points,
      ...(check.errorId === undefined ? {} : { errorId: check.errorId }),
    },
  }));
}

function details({ status, expected, actual, hint }: CheckResult): { message?: string; trace?: string } {
  if (status === 'pass') return {};
  const [message = ''] = actual.split('\n', 1);
  return { message, trace: [expected, actual, hint].filter((text) => text !== '').join('\n\n') };
}
