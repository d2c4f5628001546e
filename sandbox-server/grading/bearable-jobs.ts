import { availableParallelism, freemem } from 'node:os';

/**
 * Grading sandboxes that this machine bears at once, by what is measured: one for each core (a build keeps a core or two
 * busy, but each lab also waits for services to start and stop), as long as each may fill its memory.
 * @param memoryBytes limit of one sandbox; @param machine what there is of this machine, free memory in bytes
 */
export function bearableJobs(
  memoryBytes: number,
  machine = { cores: availableParallelism(), freeBytes: freemem() },
): number {
  return Math.max(1, Math.min(machine.cores, Math.floor(machine.freeBytes / memoryBytes)));
}
