import { CheckFailed } from './check-failed.ts';
import type { CheckContext } from './check-kind.ts';
import { parseStages, readLabFile } from './dockerfile.ts';
import type { Stage } from './dockerfile.ts';
import { shortInstruction } from './folder-sizes.ts';

/** The last stage of the lab's Dockerfile; undefined where there is none, or none that can be read. */
export async function lastStage(context: CheckContext): Promise<Stage | undefined> {
  try {
    const text = await readLabFile(context, 'Dockerfile');
    return text === null ? undefined : parseStages(text).at(-1);
  } catch (error) {
    // Only a hint is made of it, and there is something else to say.
    if (error instanceof CheckFailed) return undefined;
    throw error;
  }
}

/**
 * The stage or image that a COPY of an image's history takes from, which the history itself leaves out.
 * @returns undefined for another instruction, one that copies from the build context, and one that is not in the stage
 */
export function copiedFrom(createdBy: string, last: Pick<Stage, 'copies'> | undefined): string | undefined {
  const [keyword, ...words] = shortInstruction(createdBy, Infinity).split(' ');
  if (keyword !== 'COPY') return undefined;
  const sources = words.filter((word) => !word.startsWith('--')).slice(0, -1);
  const from = last?.copies.find((copy) => copy.sources.join(' ') === sources.join(' '))?.from;
  return from === '' ? undefined : from;
}
