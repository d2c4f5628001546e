import { z } from 'zod';

/** Times are in ms, sizes in bytes, rates in MB/s. */
const summary = z.object({
  n: z.number(),
  median: z.number(),
  min: z.number(),
  max: z.number(),
  p90: z.number(),
  p99: z.number(),
});
const maybe = summary.nullable();
const weight = z.object({ memory: maybe, pss: maybe, disk: maybe });
const byLine = z.object({ ballast: maybe.optional(), exec: maybe.optional(), wetty: maybe.optional() });

const level = z.object({
  /** Sandboxes there are; those that build are not among them. */
  sandboxes: z.number(),
  building: z.number(),
  /** To have all of them, each asked for at once, since the level before. */
  grownMs: z.number(),
  grownBy: z.number(),
  memoryEach: maybe,
  echo: byLine,
});

/** What the whole run found, as docs/bench.json has it. */
export const benchResults = z.object({
  at: z.string(),
  quick: z.boolean(),
  seconds: z.number(),
  machine: z.object({
    processor: z.string(),
    cores: z.number(),
    memory: z.number(),
    kernel: z.string(),
    engine: z.string(),
    storageDriver: z.string(),
    cgroups: z.string(),
    loadBefore: z.number(),
  }),
  images: z.object({ refs: z.array(z.string()), tarBytes: z.number() }),
  lab: z.string(),
  /** What the rival's container was allowed. */
  powers: z.string(),
  starts: z.object({ cold: maybe, warm: maybe, tar: maybe, registry: maybe }),
  listed: z.object({ cold: maybe, warm: maybe, tar: maybe, registry: maybe }),
  build: z.object({ ballast: maybe, dind: maybe }),
  /** From being asked for a sandbox to the end of the first build. */
  firstBuild: z.object({ ballast: maybe, dind: maybe }),
  idle: z.object({ ballast: weight, dind: weight }),
  built: z.object({ ballast: weight, dind: weight }),
  quietEcho: byLine,
  levels: z.array(level),
  flood: byLine,
  /** Latencies of single keys at the level that all ways were compared at, sorted, in ms. */
  echoValues: z.record(z.string(), z.array(z.number())),
  comparedAt: z.number(),
  wetty: z.string().nullable(),
  /** What was not measured, and why. */
  missing: z.array(z.string()),
});
export type BenchResults = z.infer<typeof benchResults>;
export type WeightSummary = z.infer<typeof weight>;
