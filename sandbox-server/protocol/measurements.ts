import { z } from 'zod';

const count = z.int().nonnegative();

/** What an image weighs and holds, as `ballast measure` found it. */
export const measuredImage = z.strictObject({
  /** What was measured, in words. */
  title: z.string(),
  /** Whether a base image of it was our equivalent of the official one. */
  equivalent: z.boolean(),
  /** Its base images that are equivalents, with the hash of the recipe that each was made by. */
  recipes: z.record(z.string(), z.string()),
  /** Uncompressed bytes of all layers. */
  sizeBytes: count,
  /** Packages that a container sees, of all package systems. */
  packages: count,
  /** Regular files that a container sees. */
  files: count,
  /** Files with the executable bit, without links to them. */
  programs: count,
  /** Kinds of programs an intruder would look for. */
  tools: z.array(z.enum(['shell', 'package-manager', 'compiler', 'interpreter', 'network-tool'])),
});
export type MeasuredImage = z.infer<typeof measuredImage>;

/** A second build after a change, compared with the first one from an empty cache. */
export const measuredRebuild = z.strictObject({
  title: z.string(),
  /** Steps that the Dockerfile names, without FROM. */
  steps: z.int().positive(),
  /** Those of them that came from the cache. */
  cached: count,
  /** Time of the second build as a share of the first. Absolute times say more of the machine than of the build. */
  share: z.number().nonnegative(),
});
export type MeasuredRebuild = z.infer<typeof measuredRebuild>;

/** measurements/results.json: written by `ballast measure`, shown in lessons. */
export const measurements = z.strictObject({
  version: z.literal(1),
  measuredOn: z.iso.date(),
  images: z.record(z.string(), measuredImage),
  rebuilds: z.record(z.string(), measuredRebuild),
});
export type Measurements = z.infer<typeof measurements>;
