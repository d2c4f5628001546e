import { posix } from 'node:path';
import type { ImageContents, LayerEntry } from '../images/image-reader.ts';
import { compileGlob } from './glob.ts';
import { capitalize, hiddenBy, layerWords } from './image-origin.ts';
import { findTool } from './tools.ts';
import type { Tool } from './tools.ts';

type Image = Pick<ImageContents, 'layers' | 'merged'>;

/**
 * Why a container does not see a file: an upper layer deletes it, or it lies elsewhere.
 * @param pattern a path or a glob without a leading slash
 * @returns a sentence, or undefined where the image knows nothing of such a file
 */
export function whyMissing(image: Image, pattern: string): string | undefined {
  const glob = compileGlob(pattern);
  const deleted = whyDeleted(image, (entries) => entries.find(({ path }) => glob.test(path))?.path);
  if (deleted !== undefined) return deleted;
  const name = posix.basename(pattern);
  const elsewhere = [...image.merged.keys()].filter((path) => posix.basename(path) === name);
  if (elsewhere.length === 0) return undefined;
  const more = elsewhere.length > 1 ? ` and ${String(elsewhere.length - 1)} more of that name` : '';
  return `There is /${elsewhere[0] ?? ''}${more}: compare the path with where COPY puts it.`;
}

/** Why a container sees no program of a kind that some layer has. */
export const whyNoTool = (image: Image, tool: Tool): string | undefined =>
  whyDeleted(image, (entries) => findTool(tool, entries)[0]?.path);

/** Why a container sees no package that some layer lists. */
export function whyNoPackage(image: Image, name: string): string | undefined {
  const index = image.layers.findLastIndex(({ packages }) => packages.some((each) => each.name === name));
  const path = image.layers[index]?.packages.find((each) => each.name === name)?.path;
  const by = path === undefined ? undefined : hiddenBy(image, index, path);
  if (path === undefined || by === undefined) return undefined;
  return `${capitalize(layerWords(image, index))} lists the package ${name} in /${path}, and ${layerWords(image, by)} takes it out.`;
}

function whyDeleted(image: Image, find: (entries: readonly LayerEntry[]) => string | undefined): string | undefined {
  for (const [index, { entries }] of [...image.layers.entries()].toReversed()) {
    const path = find(entries);
    const by = path === undefined ? undefined : hiddenBy(image, index, path);
    if (path !== undefined && by !== undefined)
      return `${capitalize(layerWords(image, index))} brings /${path}, and ${layerWords(image, by)} deletes it.`;
  }
  return undefined;
}
