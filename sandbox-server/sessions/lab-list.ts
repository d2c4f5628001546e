import { setupCommand } from '../base-images/lab-images.ts';
import type { Lab } from '../labs/index.ts';
import { BallastError } from '../protocol/index.ts';
import type { LabSummary } from '../protocol/index.ts';
import { shortName, type BaseImage } from './list-images.ts';

const findBase = (ref: string, base: readonly BaseImage[]): BaseImage | undefined =>
  base.find((image) => shortName(image.ref) === shortName(ref));

/**
 * A lab can be opened and graded only with all of its base images.
 * @throws BallastError images_missing, with the command that gets them
 */
export function requireImages(lab: Lab, base: readonly BaseImage[]): void {
  const missing = missingImages(lab, base);
  if (missing.length === 0) return;
  throw new BallastError('images_missing', {
    message: `Base images of this lab are not here yet: ${missing.join(', ')}.`,
    hint: `Whoever runs the server can get them with: ${setupCommand(lab, missing)}. It goes on running meanwhile.`,
  });
}

/** Base images of a lab that the store does not have. */
function missingImages(lab: Pick<Lab, 'images'>, base: readonly BaseImage[]): string[] {
  return lab.images.filter((ref) => findBase(ref, base) === undefined);
}

/** What the API says of a lab: nothing that would give an answer away. */
export function summarizeLab(lab: Lab, base: readonly BaseImage[]): LabSummary {
  const missing = missingImages(lab, base);
  return {
    id: lab.id,
    title: lab.title,
    lesson: lab.lesson,
    summary: lab.summary,
    difficulty: lab.difficulty,
    minutes: lab.minutes,
    images: lab.images.map((ref) => {
      const known = findBase(ref, base);
      return { ref, origin: known?.origin ?? 'unknown', sizeBytes: known?.sizeBytes ?? null };
    }),
    network: lab.network,
    available: missing.length === 0,
    missing: missing.length === 0 ? null : { images: missing, command: setupCommand(lab, missing) },
    checks: lab.checks.map(({ id, title, points }) => ({ id, title, points })),
  };
}
