import { open } from 'node:fs/promises';
import { csvHead, csvLine } from '../grading/index.ts';
import type { Graded } from '../grading/index.ts';
import { BallastError } from '../protocol/index.ts';

/** A file of scores that grows as submissions are graded, so that no interruption loses those that are done. */
export interface ScoreFile {
  /** Never rejects: the first line that can't be written is told of, by `failed` as well. */
  add(graded: Graded): Promise<void>;
  /** What kept a line from being written, if anything did. */
  failed(): BallastError | null;
  close(): Promise<void>;
}

/**
 * Begin the file anew, before anything is graded for it.
 * @param file path; null for none, to which nothing is written
 * @throws BallastError bad_request when it can't be written
 */
export async function openScoreFile(file: string | null, checkIds: readonly string[]): Promise<ScoreFile> {
  if (file === null) return { add: () => Promise.resolve(), failed: () => null, close: () => Promise.resolve() };
  const unwritable = (cause: unknown): BallastError =>
    new BallastError('bad_request', {
      message: `The scores could not be written to ${file}: ${(cause as Error).message}`,
      hint: 'Name another file with --csv.',
      cause,
    });
  const handle = await open(file, 'w').catch((cause: unknown) => {
    throw unwritable(cause);
  });
  let failure: BallastError | null = null;
  // One after another: submissions that end at the same time must not share a line.
  let writing = Promise.resolve();
  const append = (text: string): Promise<void> => {
    writing = writing.then(async () => {
      try {
        await handle.appendFile(text);
      } catch (cause) {
        failure ??= unwritable(cause);
      }
    });
    return writing;
  };
  await append(csvHead(checkIds));
  return {
    add: (graded) => append(csvLine(checkIds, graded)),
    failed: () => failure,
    async close() {
      await writing;
      await handle.close();
    },
  };
}
