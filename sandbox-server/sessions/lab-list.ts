import type { Lab } from '../labs/index.ts';
import type { LabSummary } from '../protocol/index.ts';
import type { BaseImage } from './list-images.ts';

/** Base images of a lab that the store does not have. */
export function missingImages(lab: Pick<Lab, 'images'>, base: readonly BaseImage[]): string[] {
  return lab.images.filter((ref) => !base.some((image) => image.ref === ref));
}

/** What the API says of a lab: nothing that would give an answer away. */
export function summarizeLab(lab: Lab, base: readonly BaseImage[]): LabSummary {
  return {
    id: lab.id,
    title: lab.title,
    lesson: lab.lesson,
    summary: lab.summary,
    difficulty: lab.difficulty,
    minutes: lab.minutes,
    images: lab.images.map((ref) => {
      const known = base.find((image) => image.ref === ref);
      return { ref, origin: known?.origin ?? 'unknown', sizeBytes: known?.sizeBytes ?? null };
    }),
    network: lab.network,
    available: missingImages(lab, base).length === 0,
    checks: lab.checks.map(({ id, title, points }) => ({ id, title, points })),
  };
}
