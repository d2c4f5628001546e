import type { Readable } from 'node:stream';
import type { Lab } from '../labs/index.ts';
import type { LabResult } from '../protocol/index.ts';
import { withCleanRoom } from './clean-room.ts';
import type { GraderOptions, JudgeOptions } from './clean-room.ts';
import { readSubmissionFolder, readSubmissionTar } from './submission.ts';

/** The lab folder as the learner left it, complete: as a folder on this machine or as an uncompressed tar. */
export type SubmissionSource = { readonly dir: string } | { readonly tar: Readable };

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
  const files = 'dir' in source ? await readSubmissionFolder(source.dir) : await readSubmissionTar(source.tar);
  return withCleanRoom(lab, options, (room) => room.judge(files, options));
}
