import { z } from 'zod';
import type { ResourceUse } from '../engine.ts';

const statsShape = z.object({
  cpu_stats: z.object({ cpu_usage: z.object({ total_usage: z.number() }) }),
  // "max_usage" with the first version of control groups alone.
  memory_stats: z.object({ max_usage: z.number().optional() }).default({}),
  pids_stats: z.object({ current: z.number().default(0), limit: z.number().optional() }).default({ current: 0 }),
});

/** Larger numbers mean "no limit": the engine prints the kernel's "max" as the largest there is. */
const mostProcesses = 2 ** 31;

/** @param stats answer of GET /containers/{id}/stats */
export function toResourceUse(stats: unknown): ResourceUse {
  const { cpu_stats: cpu, memory_stats: memory, pids_stats: pids } = statsShape.parse(stats);
  const { limit = 0 } = pids;
  return {
    processes: pids.current,
    processLimit: limit > 0 && limit < mostProcesses ? limit : null,
    cpuMs: cpu.cpu_usage.total_usage / 1e6,
    memoryPeakBytes: memory.max_usage ?? null,
  };
}
