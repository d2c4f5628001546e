import type { Lab } from '../labs/index.ts';
import { BallastError } from '../protocol/index.ts';
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
  /** Ids of the checks that must fail, and no others; null for the starter, of which any may. */
  readonly caughtBy: readonly string[] | null;
  /** What is wrong with the lab or its checks; empty when the proof holds. */
  readonly problem: string;
  /** From putting its files in place to its last check, in ms. */
  readonly durationMs: number;
  readonly result: LabResult;
}

export interface VerifyOptions extends GraderOptions, Pick<JudgeOptions, 'kinds' | 'onError'> {
  /** Names of the subjects to prove; all when left out. */
  readonly only?: readonly string[];
  /** Grading sandboxes at the same time; one when left out. */
  readonly jobs?: number;
  readonly onProof?: (proof: LabProof) => void;
  /** Told as the checks of a subject begin, and as each ends: how many have ended, of how many. */
  readonly onProgress?: (subject: string, done: number, of: number) => void;
}

/** Something to prove, before it is tried. */
interface Claim extends Pick<LabProof, 'subject' | 'title' | 'caughtBy'> {
  readonly files: () => Promise<Submission>;
}

/**
 * Prove that a lab works: its starter fails, its solution passes, and each wrong case is caught by exactly the checks
 * that it names. In `jobs` grading sandboxes, the files of each subject in place of the last one's. Builds of one
 * sandbox share its cache: a step of the same files and words gives the same, and a lab's author is trusted, so that only
 * the first build is a cold one. Images and containers do not go from one subject to the next.
 * @returns the proofs in the order starter, solution, wrong cases.
 * @throws BallastError bad_request when `only` names what is not there; what making a sandbox throws.
 */
export async function verifyLab(lab: Lab, options: VerifyOptions): Promise<LabProof[]> {
  const protectedFiles = await readProtected(lab);
  const claims = chosen(claimsOf(lab), options.only);
  const waiting = claims.entries();
  const proofs = new Array<LabProof>(claims.length);
  const jobs = Math.max(1, Math.min(options.jobs ?? 1, claims.length));
  await inParallel(new Array<null>(jobs).fill(null), jobs, () =>
    withCleanRoom(lab, options, async (room) => {
      for (const [index, { files, ...claim }] of waiting) {
        const started = performance.now();
        const result = await room.judge(putBack(await files(), protectedFiles), {
          ...options,
          ...counting((done, of) => options.onProgress?.(claim.subject, done, of)),
        });
        const durationMs = Math.round(performance.now() - started);
        const proof = { ...claim, problem: problemOf(result, claim.caughtBy), durationMs, result };
        proofs[index] = proof;
        options.onProof?.(proof);
      }
    }),
  );
  return proofs;
}

function counting(tell: (done: number, of: number) => void): Pick<JudgeOptions, 'onStart' | 'onResult'> {
  let [done, of] = [0, 0];
  return {
    onStart: (ids) => {
      of = ids.length;
      tell(done, of);
    },
    onResult: () => {
      done += 1;
      tell(done, of);
    },
  };
}

function claimsOf(lab: Lab): readonly Claim[] {
  const solution = (): Promise<Submission> => readSubmissionFolder(lab.solutionDir);
  const start = (): Promise<Submission> => readSubmissionFolder(lab.startDir);
  const wrong = lab.wrongCases.map(({ name, title, dir, remove, caughtBy }): Claim => {
    const files = async (): Promise<Submission> => {
      const differs = new Map(await readSubmissionFolder(dir));
      differs.delete('case.yaml');
      return overlay(await solution(), differs, remove);
    };
    return { subject: name, title, caughtBy, files };
  });
  return [
    { subject: 'starter', title: 'The starter fails', caughtBy: null, files: start },
    { subject: 'solution', title: 'The solution passes', caughtBy: [], files: solution },
    ...wrong,
  ];
}

function chosen(claims: readonly Claim[], only: readonly string[] | undefined): readonly Claim[] {
  if (only === undefined) return claims;
  const names = claims.map(({ subject }) => subject);
  const unknown = only.find((name) => !names.includes(name));
  if (unknown === undefined) return claims.filter(({ subject }) => only.includes(subject));
  throw new BallastError('bad_request', {
    message: `There is no case "${unknown}".`,
    hint: `These are there: ${names.join(', ')}.`,
  });
}

/** Ids of the checks with this status. */
export const withStatus = (result: LabResult, status: LabResult['checks'][number]['status']): string[] =>
  result.checks.filter((check) => check.status === status).map((check) => check.id);

/**
 * What is wrong with how a subject was judged, in a line; empty when it was judged as it should be.
 * @param caughtBy ids of the checks that must fail, and no others; null where any may, but at least one must
 */
export function problemOf(result: LabResult, caughtBy: readonly string[] | null): string {
  if (result.outcome === 'ungradable') return `could not be judged: ${withStatus(result, 'error').join(', ')}`;
  const failed = withStatus(result, 'fail');
  if (caughtBy === null) return failed.length > 0 ? '' : 'passes every check already';
  const missed = caughtBy.filter((id) => !failed.includes(id));
  const extra = failed.filter((id) => !caughtBy.includes(id));
  return [
    ...(missed.length > 0 ? [`not caught by ${missed.join(', ')}`] : []),
    ...(extra.length > 0 ? [`${caughtBy.length === 0 ? 'fails' : 'also fails'} ${extra.join(', ')}`] : []),
  ].join('; ');
}
