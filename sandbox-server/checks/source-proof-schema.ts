import { z } from 'zod';
import { duration } from '../labs/quantities.ts';
import { relativePath } from './parameters.ts';

/** How the clean room tells a service that is compiled from its sources from one that was brought along ready-made. */
export const sourceProofSchema = z.strictObject({
  file: relativePath.describe(
    'Source file that is changed in a copy; list it under "protected", so that it is as you know it.',
  ),
  replace: z.string().min(1).describe('Text in it that is replaced.'),
  by: z
    .string()
    .refine((text) => text.includes('{{first}}') && text.includes('{{second}}'), 'must hold {{first}} and {{second}}')
    .describe('What it is replaced by: code that puts {{first}} and {{second}}, joined by "-", into an answer.'),
  port: z.int().min(1).max(65_535).describe('Port that the service listens on inside the container.'),
  path: z
    .string()
    .startsWith('/')
    .default('/')
    .describe('What is asked for; the word may be in a header or in the body.'),
  readyWithin: duration
    .prefault('10s')
    .describe('Time from the start to the first answer; as long as the checks of its answers allow.'),
});
export type SourceProof = z.output<typeof sourceProofSchema>;

/** What an image must still answer, having been silent. */
export interface OwedProof {
  readonly proof: SourceProof;
  /** Drawn for this build alone. */
  readonly word: string;
}
