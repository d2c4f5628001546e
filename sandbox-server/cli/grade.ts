import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { checkKinds } from '../checks/kinds/index.ts';
import { formatResult, gradeSubmission, type ResultFormat } from '../grading/index.ts';
import { BallastError, type LabResult } from '../protocol/index.ts';
import { findLab, graderOptions, prepareFor } from './prepare-for.ts';
import { report } from './report.ts';

/** Exit statuses of the design. */
const statusOf: Readonly<Record<LabResult['outcome'], number>> = { passed: 0, failed: 1, ungradable: 3 };
const usageStatus = 2;
const couldNotGradeStatus = 3;

/** What is wrong with the words of the command, or with the submission itself, is for its author to mend. */
function isUsage(error: unknown): boolean {
  return (
    error instanceof BallastError && ['lab_not_found', 'bad_request', 'bad_path', 'too_large'].includes(error.code)
  );
}

async function assertFolder(dir: string): Promise<void> {
  const found = await stat(dir).catch(() => null);
  if (found?.isDirectory() === true) return;
  throw new BallastError('bad_request', {
    message: `${dir} is not a folder.`,
    hint: 'Name the folder with the submission.',
  });
}

/** `ballast grade LAB DIR`: the result on stdout, all else on stderr; sets the exit status. */
export async function grade(labId: string, dir: string, options: { format: ResultFormat }): Promise<void> {
  try {
    const source = resolve(dir);
    await assertFolder(source);
    const environment = await prepareFor({ withSite: false, onLabs: (labs) => findLab(labs, labId) });
    const result = await gradeSubmission(
      findLab(environment.labs, labId),
      { dir: source },
      {
        ...graderOptions(environment),
        kinds: checkKinds(),
        onResult: ({ title, status }) => process.stderr.write(`  ${status.padEnd(5)} ${title}\n`),
        onError: (id, error) => process.stderr.write(`  check ${id}: ${String(error)}\n`),
      },
    );
    process.stdout.write(formatResult(result, options.format, { color: process.stdout.isTTY }));
    process.exitCode = statusOf[result.outcome];
  } catch (error) {
    report(error);
    process.exitCode = isUsage(error) ? usageStatus : couldNotGradeStatus;
  }
}
