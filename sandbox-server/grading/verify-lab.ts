import type { Lab } from '../labs/index.ts';
import type { LabResult } from '../protocol/index.ts';
import { withCleanRoom } from './clean-room.ts';
import type { GraderOptions, JudgeOptions } from './clean-room.ts';
import { overlay, readSubmissionFolder } from './submission.ts';

/** One proof about a lab, and how it came out. */
export interface LabProof {
  /** "starter", "solution", or the name of a wrong case. */
  readonly subject: string;
  readonly title: string;
  /** What is wrong with the lab or its checks; empty when the proof holds. */
  readonly problem: string;
  readonly result: LabResult;
}

export interface VerifyOptions extends GraderOptions, Pick<JudgeOptions, 'kinds' | 'onError'> {
  /** Leave out the wrong cases. */
  readonly quick?: boolean;
  readonly onProof?: (proof: LabProof) => void;
}

/**
 * Prove that a lab works: its starter fails, its solution passes, and each wrong case is caught by exactly the checks
 * that it names. All in one grading sandbox, the files of each subject in place of the last one's.
 */
export async function verifyLab(lab: Lab, options: VerifyOptions): Promise<LabProof[]> {
  const start = await readSubmissionFolder(lab.startDir);
  const solution = await readSubmissionFolder(lab.solutionDir);
  return withCleanRoom(lab, options, async (room) => {
    const proofs: LabProof[] = [];
    const prove = async (
      subject: string,
      title: string,
      files: typeof start,
      judge: (result: LabResult) => string,
    ): Promise<void> => {
      const result = await room.judge(files, options);
      const proof = { subject, title, problem: judge(result), result };
      proofs.push(proof);
      options.onProof?.(proof);
    };
    await prove('starter', 'The starter fails', start, judgeStarter);
    await prove('solution', 'The solution passes', solution, judgeSolution);
    for (const wrong of options.quick === true ? [] : lab.wrongCases) {
      const differs = new Map(await readSubmissionFolder(wrong.dir));
      differs.delete('case.yaml');
      await prove(wrong.name, wrong.title, overlay(solution, differs, wrong.remove), (result) =>
        judgeWrong(result, wrong.caughtBy),
      );
    }
    return proofs;
  });
}

const withStatus = (result: LabResult, status: LabResult['checks'][number]['status']): string[] =>
  result.checks.filter((check) => check.status === status).map((check) => check.id);

const undone = (result: LabResult): string => `could not be judged: ${withStatus(result, 'error').join(', ')}`;

function judgeStarter(result: LabResult): string {
  if (result.outcome === 'ungradable') return undone(result);
  return result.outcome === 'failed' ? '' : 'the starter passes every check already';
}

function judgeSolution(result: LabResult): string {
  if (result.outcome === 'ungradable') return undone(result);
  return result.outcome === 'passed' ? '' : `the solution fails ${withStatus(result, 'fail').join(', ')}`;
}

function judgeWrong(result: LabResult, caughtBy: readonly string[]): string {
  if (result.outcome === 'ungradable') return undone(result);
  const failed = withStatus(result, 'fail');
  const missed = caughtBy.filter((id) => !failed.includes(id));
  const extra = failed.filter((id) => !caughtBy.includes(id));
  return [
    ...(missed.length > 0 ? [`not caught by ${missed.join(', ')}`] : []),
    ...(extra.length > 0 ? [`also fails ${extra.join(', ')}`] : []),
  ].join('; ');
}
