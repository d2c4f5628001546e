import { z } from 'zod';
import { BallastError } from '../protocol/index.ts';
import type { ImageContents } from './image-reader.ts';

/** Files that a baseline remembers: the largest, which are where growth is felt. */
const rememberedFiles = 400;
/** Lines of a report on each, layers and files. */
const shownLines = 8;

const size = z.int().nonnegative();

/** What an image weighed once, kept in a file beside the sources. */
export const sizeBaseline = z.strictObject({
  version: z.literal(1),
  image: z.string(),
  /** Uncompressed bytes of all layers. */
  sizeBytes: size,
  layers: z.array(z.strictObject({ createdBy: z.string(), sizeBytes: size })),
  /** The largest files as a container sees them, largest first. */
  files: z.array(z.strictObject({ path: z.string(), sizeBytes: size })),
  /** Files left out are no larger than this. */
  smallestFileBytes: size,
});
export type SizeBaseline = z.infer<typeof sizeBaseline>;

/** The weight of an image, to compare later ones with. */
export function toBaseline({ ref, sizeBytes, layers, merged }: ImageContents): SizeBaseline {
  const files = [...merged]
    .flatMap(([path, { entry }]) => (entry.type === 'file' ? [{ path, sizeBytes: entry.sizeBytes }] : []))
    .sort((a, b) => b.sizeBytes - a.sizeBytes || (a.path < b.path ? -1 : 1));
  return {
    version: 1,
    image: ref,
    sizeBytes,
    layers: layers.map((layer) => ({ createdBy: layer.createdBy, sizeBytes: layer.sizeBytes })),
    files: files.slice(0, rememberedFiles),
    smallestFileBytes: files[rememberedFiles]?.sizeBytes ?? 0,
  };
}

/** @throws BallastError bad_request when the text is no baseline. */
export function parseBaseline(text: string, name: string): SizeBaseline {
  try {
    return sizeBaseline.parse(JSON.parse(text));
  } catch (cause) {
    throw new BallastError('bad_request', {
      message: `${name} is no baseline of "ballast budget".`,
      hint: 'Write it anew with --update.',
      cause,
    });
  }
}

export interface Growth {
  readonly name: string;
  readonly before: number;
  readonly after: number;
}

export interface BudgetReport {
  readonly before: number;
  readonly after: number;
  /** Share by which it grew, 0.05 for 5 %; negative when it shrank. */
  readonly growth: number;
  /** It grew no more than it may. */
  readonly kept: boolean;
  /** What grew, most first. */
  readonly layers: readonly Growth[];
  readonly files: readonly Growth[];
}

/** @param maxGrowth share that the image may grow by, 0.05 for 5 %. */
export function judgeBudget(baseline: SizeBaseline, now: SizeBaseline, maxGrowth: number): BudgetReport {
  const { sizeBytes: before } = baseline;
  const after = now.sizeBytes;
  const growth = before === 0 ? (after === 0 ? 0 : Number.POSITIVE_INFINITY) : (after - before) / before;
  const named = (list: readonly { path: string; sizeBytes: number }[]): Growth[] =>
    list.map(({ path, sizeBytes }) => ({ name: path, before: 0, after: sizeBytes }));
  const oldFiles = new Map(baseline.files.map(({ path, sizeBytes }) => [path, sizeBytes]));
  const files = named(now.files).map((file) => ({
    ...file,
    // A file that the baseline did not remember may have been there, but no larger than this.
    before: oldFiles.get(file.name) ?? Math.min(baseline.smallestFileBytes, file.after),
  }));
  return {
    before,
    after,
    growth,
    kept: growth <= maxGrowth,
    layers: largest(layerGrowth(baseline, now)),
    files: largest(files),
  };
}

/** Layers are told by the instruction that made them; of several alike, each goes with its own turn. */
function layerGrowth(baseline: SizeBaseline, now: SizeBaseline): Growth[] {
  const left = new Map<string, number[]>();
  for (const { createdBy, sizeBytes } of baseline.layers) {
    left.set(createdBy, [...(left.get(createdBy) ?? []), sizeBytes]);
  }
  return now.layers.map(({ createdBy, sizeBytes }, index) => ({
    // An imported image has no history.
    name: createdBy === '' ? `layer ${String(index + 1)}` : createdBy,
    before: left.get(createdBy)?.shift() ?? 0,
    after: sizeBytes,
  }));
}

const largest = (all: readonly Growth[]): Growth[] =>
  all
    .filter(({ before, after }) => after > before)
    .sort((a, b) => b.after - b.before - (a.after - a.before))
    .slice(0, shownLines);
