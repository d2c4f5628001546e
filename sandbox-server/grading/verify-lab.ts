import type { Lab } from '../labs/index.ts';
import type { LabResult } from '../protocol/index.ts';
import { withCleanRoom } from './clean-room.ts';
import type { GraderOptions } from './clean-room.ts';
import { inParallel } from './in-parallel.ts';
import type { JudgeOptions } from './run-checks-in-time.ts';
import { putBack, readProtected } from './protected-files.ts';
import { overlay, readSubmissionFolder } from './submission.ts';
import type { Submission } from './submission.ts';

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
  /** Grading sandboxes at the same time; one when left out. */
  readonly jobs?: number;
  readonly onProof?: (proof: LabProof) => void;
}

/** Something to prove, before it is tried. */
interface Claim extends Pick<LabProof, 'subject' | 'title'> {
  readonly files: () => Promise<Submission>;
  readonly judge: (result: LabResult) => string;
}

/**
 * Prove that a lab works: its starter fails, its solution passes, and each wrong case is caught by exactly the checks
 * that it names. In `jobs` grading sandboxes, the files of each subject in place of the last one's.
 * @returns the proofs in the order starter, solution, wrong cases.
 */
export async function verifyLab(lab: Lab, options: VerifyOptions): Promise<LabProof[]> {
  const protectedFiles = await readProtected(lab);
  const claims = claimsOf(lab, options.quick === true);
  const waiting = claims.entries();
  const proofs = new Array<LabProof>(claims.length);
  const jobs = Math.max(1, Math.min(options.jobs ?? 1, claims.length));
  await inParallel(new Array<null>(jobs).fill(null), jobs, () =>
    withCleanRoom(lab, options, async (room) => {
      for (const [index, { subject, title, files, judge }] of waiting) {
        const result = await room.judge(putBack(await files(), protectedFiles), options);
        const proof = { subject, title, problem: judge(result), result };
        proofs[index] = proof;
        options.onProof?.(proof);
      }
    }),
  );
  return proofs;
}

function claimsOf(lab: Lab, quick: boolean): readonly Claim[] {
  const solution = (): Promise<Submission> => readSubmissionFolder(lab.solutionDir);
  const wrong = lab.wrongCases.map(({ name, title, dir, remove, caughtBy }): Claim => {
    const files = async (): Promise<Submission> => {
      const differs = new Map(await readSubmissionFolder(dir));
      differs.delete('case.yaml');
      return overlay(await solution(), differs, remove);
    };
    return { subject: name, title, files, judge: (result) => judgeWrong(result, caughtBy) };
  });
  return [
    {
      subject: 'starter',
      title: 'The starter fails',
      files: () => readSubmissionFolder(lab.startDir),
      judge: judgeStarter,
    },
    { subject: 'solution', title: 'The solution passes', files: solution, judge: judgeSolution },
    ...(quick ? [] : wrong),
  ];
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
