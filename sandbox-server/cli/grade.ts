import { checkKinds } from '../checks/kinds/index.ts';
import { plainText } from '../checks/plain-text.ts';
import { hasColors } from '../colors.ts';
import { exitStatus, formatReport, gradeMany, outcomeOf } from '../grading/index.ts';
import type { Graded, ReportFormat } from '../grading/index.ts';
import { BallastError } from '../protocol/index.ts';
import { openSubmissions } from './open-submissions.ts';
import { createCveCounter } from '../vulnerabilities/count-cves.ts';
import { findLab, graderOptions, prepareFor } from './prepare-for.ts';
import { ballastVersion } from './project.ts';
import { describeError, report } from './report.ts';
import { openScoreFile } from './score-file.ts';

/** Exit statuses of the design. */
const usageStatus = 2;
const couldNotGradeStatus = 3;

/** What is wrong with the words of the command is for its author to mend. */
const isUsage = (error: unknown): boolean =>
  error instanceof BallastError && (error.code === 'lab_not_found' || error.code === 'bad_request');

export interface GradeOptions {
  readonly format: ReportFormat;
  readonly jobs: number;
  /** File for the scores. */
  readonly csv?: string;
  /** Longest time for one submission, in ms. */
  readonly timeout: number;
  /** Memory of one submission's sandbox, in bytes; the lab's or the server's setting when left out. */
  readonly memory?: number;
}

const told = (text: string): void => {
  process.stderr.write(`${plainText(text, 2000)}\n`);
};

/**
 * `ballast grade LAB SUBMISSION…`: the results on stdout, all else on stderr; sets the exit status. When it is
 * interrupted, what has been graded by then is reported all the same.
 */
export async function grade(labId: string, paths: readonly string[], options: GradeOptions): Promise<void> {
  try {
    const submissions = await openSubmissions(paths);
    const environment = await prepareFor({ withSite: false, onLabs: (labs) => [findLab(labs, labId)] });
    const found = findLab(environment.labs, labId);
    const { memory } = options;
    const lab = memory === undefined ? found : { ...found, limits: { ...found.limits, memory } };
    const scores = await openScoreFile(
      options.csv ?? null,
      lab.checks.map(({ id }) => id),
    );
    const many = submissions.length > 1;
    const done = new Map<string, Graded>();
    let interruption: unknown;
    try {
      await gradeMany(lab, submissions, {
        ...graderOptions(environment),
        kinds: checkKinds(createCveCounter(environment.config.home)),
        jobs: options.jobs,
        timeoutMs: options.timeout,
        onCheck: (_name, title, status) => {
          if (!many) told(`${status.padEnd(5)} ${title}`);
        },
        onGraded: (graded) => {
          done.set(graded.name, graded);
          void scores.add(graded);
          if (many) told(`[${String(done.size)}/${String(submissions.length)}] ${progress(graded)}`);
        },
        onError: (name, errorId, error) => {
          process.stderr.write(`${errorId} ${plainText(name, 200)}: ${describeError(error)}\n`);
        },
      });
    } catch (error) {
      interruption = error;
      if (done.size === 0) throw error;
    } finally {
      await scores.close();
    }
    const all = submissions.flatMap(({ name }) => done.get(name) ?? []);
    const [only] = all;
    if (!many && only?.refusal != null)
      report(new BallastError(only.refusal.outcome === 'refused' ? 'bad_request' : 'grade_failed', only.refusal));
    process.stdout.write(
      formatReport(all, {
        format: options.format,
        color: hasColors(process.stdout),
        lab: lab.id,
        many,
        version: ballastVersion(),
        generated: new Date(),
      }),
    );
    process.exitCode = exitStatus(all);
    const failure = interruption ?? scores.failed();
    if (failure !== null) {
      report(failure);
      process.exitCode = couldNotGradeStatus;
    }
  } catch (error) {
    report(error);
    process.exitCode = isUsage(error) ? usageStatus : couldNotGradeStatus;
  }
}

function progress(graded: Graded): string {
  const { name, result, durationMs } = graded;
  const score = result === null ? '' : ` ${String(result.score)}/${String(result.maxScore)}`;
  return `${name} ${outcomeOf(graded)}${score} ${(durationMs / 1000).toFixed(1)} s`;
}
