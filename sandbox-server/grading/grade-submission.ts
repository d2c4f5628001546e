import type { Readable } from 'node:stream';
import type { Lab } from '../labs/index.ts';
import type { LabResult } from '../protocol/index.ts';
import { withCleanRoom } from './clean-room.ts';
import type { GraderOptions } from './clean-room.ts';
import { putBack, readProtected } from './protected-files.ts';
import type { JudgeOptions } from './run-checks-in-time.ts';
import { readSubmissionFolder, readSubmissionTar } from './submission.ts';
import type { Submission } from './submission.ts';

/** The lab folder as the learner left it, complete: as a folder on this machine, as a tar, gzipped or not, or read already. */
export type SubmissionSource = { readonly dir: string } | { readonly tar: Readable } | { readonly files: Submission };

/**
 * Grade a submission in a sandbox made for it: all is built anew from its sources, nothing else counts.
 * The sandbox is removed whatever happens.
 * @returns the result; `outcome` is "ungradable" when a check could not be done.
 * @throws BallastError bad_request, bad_path or too_large for a submission that is not one; sandbox_failed.
 */
export async function gradeSubmission(
  lab: Lab,
  source: SubmissionSource,
  options: GraderOptions & JudgeOptions,
): Promise<LabResult> {
  const files = await read(source);
  const protectedFiles = await readProtected(lab);
  return withCleanRoom(lab, options, (room) => room.judge(putBack(files, protectedFiles), options));
}

async function read(source: SubmissionSource): Promise<Submission> {
  if ('files' in source) return source.files;
  return 'dir' in source ? readSubmissionFolder(source.dir) : readSubmissionTar(source.tar);
}
