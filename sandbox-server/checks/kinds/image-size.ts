import { z } from 'zod';
import type { ImageContents } from '../../images/image-reader.ts';
import { byteSize, formatBytes } from '../../labs/quantities.ts';
import type { CheckKind } from '../check-kind.ts';
import { parseStages, readLabFile } from '../dockerfile.ts';
import type { Stage } from '../dockerfile.ts';
import { heaviestFolder, shortInstruction } from '../folder-sizes.ts';
import { imageParameter, otherImageParameter } from '../parameters.ts';

const schema = z
  .strictObject({
    image: imageParameter,
    max: byteSize.optional().describe('The budget, such as "20 MB".'),
    ratio: z
      .strictObject({
        to: otherImageParameter.describe('The other image.'),
        max: z.number().positive().max(10).describe('The share, 0.5 for half.'),
      })
      .optional()
      .describe('The size as a share of another image: 0.5 is at most half of it.'),
    growth: z
      .strictObject({
        over: z.union([otherImageParameter, byteSize]).describe('Another image, or a size that was measured before.'),
        maxPercent: z.number().min(0).max(1000).describe('Growth in percent of the baseline.'),
      })
      .optional()
      .describe('How much larger than a baseline the image may be, in percent of the baseline.'),
  })
  .refine(
    ({ max, ratio, growth }) => max !== undefined || ratio !== undefined || growth !== undefined,
    'name at least one of max, ratio and growth',
  );
type Parameters = z.output<typeof schema>;

interface Limit {
  readonly bytes: number;
  readonly words: string;
}

/** The image's size, counted as everywhere in Ballast: the uncompressed bytes of all its layers. */
export const imageSize: CheckKind<Parameters> = {
  name: 'image-size',
  summary:
    'The image is not larger than a budget, than a share of another image, or than a baseline by more than some percent.',
  docs: {
    looksAt:
      'The sum of the uncompressed bytes of the files in all layers, counted from the archive, also those that a later layer deletes.',
    example: `image: greeter
max: 20 MB`,
    fails:
      'Says the size and the limit. The hint names the largest layer, the instruction that made it (of a COPY, the stage that it takes from) and the folder in which most of it lies.',
  },
  schema,
  timeoutMs: 180_000,
  async run(parameters, context) {
    const { images, signal } = context;
    const { image } = parameters;
    const contents = await images.read(image, signal);
    const limits = await limitsOf(parameters, async (ref) => (await images.read(ref, signal)).sizeBytes);
    const expected = `${image} is ${limits.map(({ words }) => words).join(' and ')}.`;
    const layers = contents.layers.length;
    const actual = `It is ${formatBytes(contents.sizeBytes)} in ${String(layers)} ${layers === 1 ? 'layer' : 'layers'}.`;
    if (limits.every(({ bytes }) => contents.sizeBytes <= bytes)) return { status: 'pass', expected, actual };
    const dockerfile = await readLabFile(context, 'Dockerfile');
    const last = dockerfile === null ? undefined : parseStages(dockerfile).at(-1);
    return { status: 'fail', expected, actual, hint: whereTheBytesAre(contents, last) };
  },
};

/**
 * The limits that the parameters set.
 * @param sizeOf gives the size of another image
 */
export async function limitsOf(
  { max, ratio, growth }: Omit<Parameters, 'image'>,
  sizeOf: (ref: string) => Promise<number>,
): Promise<Limit[]> {
  const limits: Limit[] = [];
  if (max !== undefined) limits.push({ bytes: max, words: `at most ${formatBytes(max)}` });
  if (ratio !== undefined) {
    const size = await sizeOf(ratio.to);
    const share = `${String(Math.round(ratio.max * 1000) / 10)} % of ${ratio.to}`;
    const bytes = size * ratio.max;
    limits.push({ bytes, words: `at most ${share} (${formatBytes(size)}), which is ${formatBytes(bytes)}` });
  }
  if (growth !== undefined) {
    const { over, maxPercent } = growth;
    const size = typeof over === 'number' ? over : await sizeOf(over);
    const baseline = typeof over === 'number' ? 'the baseline' : over;
    const bytes = size * (1 + maxPercent / 100);
    const words = `at most ${String(maxPercent)} % larger than ${baseline} (${formatBytes(size)}), which is ${formatBytes(bytes)}`;
    limits.push({ bytes, words });
  }
  return limits;
}

/**
 * A sentence on the largest layer: the place where cutting pays.
 * @param last last stage of the Dockerfile, where it is known
 */
export function whereTheBytesAre({ layers }: Pick<ImageContents, 'layers'>, last?: Pick<Stage, 'copies'>): string {
  const largest = layers.toSorted((a, b) => b.sizeBytes - a.sizeBytes)[0];
  if (largest === undefined) return '';
  const folder = heaviestFolder(largest.entries);
  const size = formatBytes(largest.sizeBytes);
  const from = last === undefined ? undefined : copiedFrom(largest.createdBy, last);
  if (from !== undefined && folder !== undefined) {
    const inside = formatBytes(folder.sizeBytes);
    const most = inside === size ? '' : `, most of a layer of ${size}`;
    return `The final stage copies /${folder.path} (${inside}) from "${from}"${most}. Does the running service need it?`;
  }
  const by =
    largest.createdBy === '' ? 'comes with the base image' : `comes from "${shortInstruction(largest.createdBy)}"`;
  const inside = folder === undefined ? '' : `, most of it in /${folder.path} (${formatBytes(folder.sizeBytes)})`;
  return `The largest layer, ${size}, ${by}${inside}. Does the running service need it?`;
}

/** The stage or image that a COPY in the history takes from, which the history itself leaves out. */
function copiedFrom(createdBy: string, last: Pick<Stage, 'copies'>): string | undefined {
  const [keyword, ...words] = shortInstruction(createdBy, Infinity).split(' ');
  if (keyword !== 'COPY') return undefined;
  const sources = words.filter((word) => !word.startsWith('--')).slice(0, -1);
  const from = last.copies.find((copy) => copy.sources.join(' ') === sources.join(' '))?.from;
  return from === '' ? undefined : from;
}
