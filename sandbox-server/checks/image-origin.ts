import { posix } from 'node:path';
import { z } from 'zod';
import type { ImageContents, ImageLayer } from '../images/image-reader.ts';
import type { LabCheck } from '../labs/index.ts';
import { BallastError } from '../protocol/index.ts';
import { CheckFailed } from './check-failed.ts';
import type { CheckContext } from './check-kind.ts';
import { baseOf, parseStages, readLabFile, stagesBelow } from './dockerfile.ts';
import type { Stage } from './dockerfile.ts';
import { shortInstruction } from './folder-sizes.ts';

type Layers = Pick<ImageContents, 'layers'>;

/** What an image was made from, as far as that can be told; for hints alone. */
export interface ImageOrigin {
  /** The Dockerfile, relative to the lab folder. */
  readonly dockerfile: string;
  /** Its stages; none where it can't be read. */
  readonly stages: readonly Stage[];
  /** The image that the last stage begins from, as the Dockerfile names it. */
  readonly base?: string;
  /** How many of the image's layers are the base image's; left out where that is not known. */
  readonly baseLayers?: number;
}

const built = z.object({
  image: z.string(),
  context: z.string().default('.'),
  dockerfile: z.string().default('Dockerfile'),
});

/** The Dockerfile of each image that a lab has built, relative to the lab folder. */
export function dockerfilesOf(checks: readonly Pick<LabCheck, 'kind' | 'with'>[]): ReadonlyMap<string, string> {
  const parameters = checks.filter(({ kind }) => kind === 'image-built').map((check) => built.safeParse(check.with));
  return new Map(
    parameters.flatMap(({ data }) =>
      data === undefined ? [] : [[data.image, posix.join(data.context, data.dockerfile)] as const],
    ),
  );
}

/** What an image of the lab was made from. It throws only what the sandbox throws. */
export async function originOf(context: CheckContext, image: string, { layers }: Layers): Promise<ImageOrigin> {
  const dockerfile = context.dockerfiles?.get(image) ?? 'Dockerfile';
  const stages = await readStages(context, dockerfile);
  const base = baseOf(stages);
  if (base === undefined) return { dockerfile, stages };
  const baseLayers = base === 'scratch' ? 0 : await countBaseLayers(context, base, layers);
  return { dockerfile, stages, base, ...(baseLayers === undefined ? {} : { baseLayers }) };
}

async function readStages(context: CheckContext, dockerfile: string): Promise<Stage[]> {
  try {
    return parseStages((await readLabFile(context, dockerfile)) ?? '');
  } catch (error) {
    // Too long to be read, or nothing starts any more; and only a hint is made of it.
    if (error instanceof CheckFailed || error instanceof BallastError) return [];
    throw error;
  }
}

/** Undefined where the sandbox does not have the base image, or the image was not built from it as it is. */
async function countBaseLayers(
  { images, signal }: CheckContext,
  base: string,
  layers: readonly ImageLayer[],
): Promise<number | undefined> {
  try {
    const { layers: below } = await images.read(base, signal);
    return below.every(({ digest }, index) => layers[index]?.digest === digest) ? below.length : undefined;
  } catch (error) {
    if (error instanceof BallastError) return undefined;
    throw error;
  }
}

/** Where a layer comes from: the base image, or an instruction that copies or does something else. */
export type LayerOrigin =
  | { readonly kind: 'base'; readonly words: string }
  | { readonly kind: 'copy'; readonly words: string; readonly from: string }
  | { readonly kind: 'context' | 'run' | 'unknown'; readonly words: string };

/**
 * Where a layer of an image comes from. `words` name it in a sentence: `the base image debian:13` or
 * `"COPY . ." (layer 3 of 5)`. `from` is the stage or image that a COPY takes from.
 */
export function layerOrigin({ layers }: Layers, index: number, origin: ImageOrigin): LayerOrigin {
  const createdBy = layers[index]?.createdBy ?? '';
  const { base, baseLayers } = origin;
  if (baseLayers === undefined ? createdBy === '' : index < baseLayers)
    return { kind: 'base', words: base === undefined ? 'the base image' : `the base image ${base}` };
  const words = layerWords({ layers }, index);
  const copy = copyOf(createdBy, origin.stages);
  if (copy?.from === '') return { kind: 'context', words };
  if (copy !== undefined) return { kind: 'copy', words, from: copy.from };
  return { kind: /^RUN\b/.test(shortInstruction(createdBy)) ? 'run' : 'unknown', words };
}

/**
 * The COPY of the last stage, or of one that it is built on, that an instruction of an image's history stands for: the
 * history leaves out what it takes from.
 */
function copyOf(createdBy: string, stages: readonly Stage[]): Stage['copies'][number] | undefined {
  const [keyword, ...words] = shortInstruction(createdBy, Infinity).split(' ');
  if (keyword !== 'COPY' && keyword !== 'ADD') return undefined;
  const sources = words.filter((word) => !word.startsWith('--')).slice(0, -1);
  return stagesBelow(stages)
    .flatMap(({ copies }) => copies)
    .find((copy) => copy.sources.join(' ') === sources.join(' '));
}

/**
 * The layer that hides what a lower one has at a path: deletes it, or the folder that it lies in, or replaces it.
 * @returns undefined when none does
 */
export function hiddenBy({ layers }: Layers, index: number, path: string): number | undefined {
  const isAbove = (folder: string): boolean => folder === '' || path.startsWith(`${folder}/`);
  const found = layers.findIndex(
    ({ whiteouts, opaque, entries }, at) =>
      at > index &&
      (whiteouts.some((gone) => gone === path || isAbove(gone)) ||
        opaque.some(isAbove) ||
        entries.some((entry) => entry.path === path || (entry.type !== 'directory' && isAbove(entry.path)))),
  );
  return found < 0 ? undefined : found;
}

/** A layer by its instruction and number, in a sentence: `"RUN rm x" (layer 3 of 5)`. */
export function layerWords({ layers }: Layers, index: number): string {
  const createdBy = layers[index]?.createdBy ?? '';
  const number = `layer ${String(index + 1)} of ${String(layers.length)}`;
  return createdBy === '' ? number : `"${shortInstruction(createdBy)}" (${number})`;
}

/** For words that begin a sentence. */
export const capitalize = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
