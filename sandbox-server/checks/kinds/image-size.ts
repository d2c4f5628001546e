import { z } from 'zod';
import type { ImageContents } from '../../images/image-reader.ts';
import { judgeBudget, parseBaseline, toBaseline } from '../../images/size-budget.ts';
import type { SizeBaseline } from '../../images/size-budget.ts';
import { byteSize, formatBytes } from '../../labs/quantities.ts';
import { BallastError } from '../../protocol/index.ts';
import { CheckFailed } from '../check-failed.ts';
import type { CheckContext, CheckKind } from '../check-kind.ts';
import { readLabFile } from '../dockerfile.ts';
import { heaviestFolder } from '../folder-sizes.ts';
import { layerOrigin, originOf } from '../image-origin.ts';
import type { ImageOrigin } from '../image-origin.ts';
import { imageParameter, otherImageParameter, relativePath } from '../parameters.ts';

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
        over: z
          .union([
            z.strictObject({
              baseline: relativePath.describe('The file, relative to the lab folder.'),
            }),
            otherImageParameter,
            byteSize,
          ])
          .describe(
            'Another image; a size; or what was measured before, as "ballast budget --update" keeps it in a file of the lab folder: { baseline: size.json }. That file belongs into `protected`.',
          ),
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
  /** The image that it is compared with. */
  readonly than?: string;
}

/** The image's size, counted as everywhere in Ballast: the uncompressed bytes of all its layers. */
export const imageSize: CheckKind<Parameters> = {
  name: 'image-size',
  summary:
    'The image is not larger than a budget, than a share of another image, or than a baseline by more than some percent.',
  docs: {
    looksAt:
      'The sum of the uncompressed bytes of the files in all layers, counted from the archive, also those that a later layer deletes. A baseline is another image, or the file that `ballast budget --update` writes.',
    example: `image: greeter
max: 20 MB`,
    fails:
      'Says the size, the limit and by how much it is over. The hint names the largest layer, where it comes from (the base image, or an instruction; of a COPY, the stage that it takes from) and the folder in which most of it lies; and what is larger than in the image that it is compared with.',
  },
  schema,
  timeoutMs: 180_000,
  async run(parameters, context) {
    const { images, signal } = context;
    const { image } = parameters;
    const contents = await images.read(image, signal);
    const { growth } = parameters;
    const kept = await readBaselineOf(growth?.over, context);
    const limits = await limitsOf(parameters, async (ref) => (await images.read(ref, signal)).sizeBytes, kept);
    const expected = `${image} is ${limits.map(({ words }) => words).join(' and ')}.`;
    const layers = contents.layers.length;
    const size = `It is ${formatBytes(contents.sizeBytes)} in ${String(layers)} ${layers === 1 ? 'layer' : 'layers'}`;
    const past = limits.filter(({ bytes }) => contents.sizeBytes > bytes).toSorted((a, b) => a.bytes - b.bytes);
    const [most] = past;
    if (most === undefined) return { status: 'pass', expected, actual: `${size}.` };
    const over = formatBytes(Math.ceil(contents.sizeBytes - most.bytes));
    const hints = [whereTheBytesAre(contents, await originOf(context, image, contents))];
    for (const { than } of past) {
      const more = than === undefined ? '' : whatIsMore(contents, await images.read(than, signal), than);
      if (more !== '') hints.push(more);
    }
    const grown = kept === undefined ? '' : whatGrew(kept, contents);
    if (grown !== '') hints.push(grown);
    return { status: 'fail', expected, actual: `${size}: ${over} too much.`, hint: hints.join('\n') };
  },
};

/**
 * The limits that the parameters set.
 * @param sizeOf gives the size of another image
 * @param kept what the baseline's file says, where one is named
 */
export async function limitsOf(
  { max, ratio, growth }: Omit<Parameters, 'image'>,
  sizeOf: (ref: string) => Promise<number>,
  kept?: SizeBaseline,
): Promise<Limit[]> {
  const limits: Limit[] = [];
  if (max !== undefined) limits.push({ bytes: max, words: `at most ${formatBytes(max)}` });
  if (ratio !== undefined) {
    const size = await sizeOf(ratio.to);
    const share = `${String(Math.round(ratio.max * 1000) / 10)} % of ${ratio.to}`;
    const bytes = size * ratio.max;
    const words = `at most ${share} (${formatBytes(size)}), which is ${formatBytes(bytes)}`;
    limits.push({ bytes, words, than: ratio.to });
  }
  if (growth !== undefined) {
    const { over, maxPercent } = growth;
    const than = typeof over === 'string' ? over : undefined;
    const size = than !== undefined ? await sizeOf(than) : typeof over === 'number' ? over : (kept?.sizeBytes ?? 0);
    const baseline = typeof over === 'object' ? over.baseline : (than ?? 'the baseline');
    const bytes = size * (1 + maxPercent / 100);
    const words = `at most ${String(maxPercent)} % larger than ${baseline} (${formatBytes(size)}), which is ${formatBytes(bytes)}`;
    limits.push({ bytes, words, ...(than === undefined ? {} : { than }) });
  }
  return limits;
}

type Over = NonNullable<Parameters['growth']>['over'];

/** What a baseline's file says; undefined where the growth is over something else. @throws CheckFailed for a file that says nothing */
async function readBaselineOf(over: Over | undefined, context: CheckContext): Promise<SizeBaseline | undefined> {
  if (typeof over !== 'object') return undefined;
  const { baseline: path } = over;
  const text = await readLabFile(context, path);
  try {
    if (text !== null) return parseBaseline(text, path);
  } catch (error) {
    if (!(error instanceof BallastError)) throw error;
  }
  throw new CheckFailed({
    expected: `${path} says what the image weighed before.`,
    actual: text === null ? `There is no ${path}.` : `${path} is not what "ballast budget" writes.`,
    hint: 'It came with the lab: a new start of the lab brings it back.',
  });
}

/** A sentence on the files that are larger than in a baseline, the first few; "" for none. */
function whatGrew(kept: SizeBaseline, contents: ImageContents): string {
  const { files } = judgeBudget(kept, toBaseline(contents), 0);
  const named = files
    .slice(0, namedFiles)
    .map(({ name, before, after }) => `/${name} (${formatBytes(after - before)})`);
  return named.length === 0 ? '' : `Larger than in the baseline, by: ${named.join(', ')}.`;
}

const namedFiles = 3;

/** A sentence on the largest layer: the place where cutting pays. */
function whereTheBytesAre(contents: Pick<ImageContents, 'layers'>, origin: ImageOrigin): string {
  const sizes = contents.layers.map(({ sizeBytes }) => sizeBytes);
  const index = sizes.indexOf(Math.max(...sizes));
  const largest = contents.layers[index];
  if (largest === undefined) return '';
  const folder = heaviestFolder(largest.entries);
  const size = formatBytes(largest.sizeBytes);
  const by = layerOrigin(contents, index, origin);
  if (by.kind === 'copy' && folder !== undefined) {
    const inside = formatBytes(folder.sizeBytes);
    const most = inside === size ? '' : `, most of a layer of ${size}`;
    return `The final stage copies /${folder.path} (${inside}) from "${by.from}"${most}. Does the running service need it?`;
  }
  const comes = by.kind === 'base' ? `comes with ${by.words}` : `comes from ${by.words}`;
  const inside = folder === undefined ? '' : `, most of it in /${folder.path} (${formatBytes(folder.sizeBytes)})`;
  const advice =
    by.kind === 'base' ? 'A smaller one for the last stage saves most.' : 'Does the running service need it?';
  return `The largest layer, ${size}, ${comes}${inside}. ${advice}`;
}

type Merged = Pick<ImageContents, 'merged'>;

/** A sentence on what an image has, as containers see it, and another has not, or not as large; "" for nothing. */
function whatIsMore({ merged }: Merged, other: Merged, name: string): string {
  const more = [...merged].flatMap(([path, { entry }]) => {
    const sizeBytes = entry.sizeBytes - (other.merged.get(path)?.entry.sizeBytes ?? 0);
    return sizeBytes > 0 ? [{ ...entry, path, sizeBytes }] : [];
  });
  if (more.length === 0) return '';
  const bytes = formatBytes(more.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  const folder = heaviestFolder(more);
  const where = folder === undefined ? '' : `, most of it in /${folder.path} (${formatBytes(folder.sizeBytes)})`;
  return `What it has and ${name} has not, or smaller: ${bytes}${where}.`;
}
