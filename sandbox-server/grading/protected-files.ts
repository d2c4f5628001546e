import type { Lab } from '../labs/index.ts';
import { BallastError } from '../protocol/index.ts';
import { readSubmissionFolder } from './submission.ts';
import type { Submission } from './submission.ts';

/**
 * The files of a lab that are no part of an answer, as the lab gives them.
 * @throws BallastError lab_invalid when start/ lacks one.
 */
export async function readProtected(lab: Pick<Lab, 'id' | 'protected' | 'startDir'>): Promise<Submission> {
  if (lab.protected.length === 0) return new Map();
  const start = await readSubmissionFolder(lab.startDir);
  return new Map(
    lab.protected.map((path) => {
      const file = start.get(path);
      if (file?.type === 'file') return [path, file] as const;
      throw new BallastError('lab_invalid', {
        message: `The lab ${lab.id} protects ${path}, which is no file in its start/.`,
      });
    }),
  );
}

/**
 * A submission with the lab's protected files in place of whatever was handed in under their names: also where that
 * is a link, a folder with the name of a file, or a file with the name of a folder.
 */
export function putBack(files: Submission, protectedFiles: Submission): Submission {
  const merged = new Map(files);
  for (const [path, file] of protectedFiles) {
    for (const other of merged.values()) {
      const within = other.path.startsWith(`${path}/`);
      const blocks = other.type !== 'directory' && path.startsWith(`${other.path}/`);
      if (within || blocks) merged.delete(other.path);
    }
    merged.set(path, file);
  }
  return merged;
}
