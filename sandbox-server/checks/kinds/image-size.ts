import { z } from 'zod';
import type { ImageContents } from '../../images/image-reader.ts';
import { byteSize, formatBytes } from '../../labs/quantities.ts';
import type { CheckKind } from '../check-kind.ts';
import { heaviestFolder, shortInstruction } from '../folder-sizes.ts';
import { imageParameter } from '../parameters.ts';

const schema = z.strictObject({
  image: imageParameter,
  max: byteSize.describe('The budget, such as "20 MB".'),
});

/** The image's size, counted as everywhere in Ballast: the uncompressed bytes of all its layers. */
export const imageSize: CheckKind<z.output<typeof schema>> = {
  name: 'image-size',
  summary: 'The image is not larger than a budget: the sum of the uncompressed bytes of its layers.',
  schema,
  timeoutMs: 180_000,
  async run({ image, max }, { images, signal }) {
    const contents = await images.read(image, signal);
    const expected = `${image} is at most ${formatBytes(max)}.`;
    const layers = contents.layers.length;
    const actual = `It is ${formatBytes(contents.sizeBytes)} in ${String(layers)} ${layers === 1 ? 'layer' : 'layers'}.`;
    if (contents.sizeBytes <= max) return { status: 'pass', expected, actual };
    return { status: 'fail', expected, actual, hint: whereTheBytesAre(contents) };
  },
};

/** A sentence on the largest layer: the place where cutting pays. */
export function whereTheBytesAre({ layers }: Pick<ImageContents, 'layers'>): string {
  const largest = layers.toSorted((a, b) => b.sizeBytes - a.sizeBytes)[0];
  if (largest === undefined) return '';
  const from =
    largest.createdBy === '' ? 'comes with the base image' : `comes from "${shortInstruction(largest.createdBy)}"`;
  const folder = heaviestFolder(largest.entries);
  const inside = folder === undefined ? '' : `, most of it in /${folder.path} (${formatBytes(folder.sizeBytes)})`;
  return `The largest layer, ${formatBytes(largest.sizeBytes)}, ${from}${inside}. Does the running service need it?`;
}
