import { readFile } from 'node:fs/promises';
import type Docker from 'dockerode';
import { z } from 'zod';
import { runProgram } from '../../sandbox-server/setup/run-program.ts';

/** What one sandbox takes, all its processes and files together, in bytes. */
export interface Weight {
  /** What its control group is charged with, less file cache: programs and what the kernel keeps for them. */
  readonly memory: number;
  /** Its share of the memory of its processes (PSS), pages shared with others counted in part; null where /proc says nothing. */
  readonly pss: number | null;
  /** Blocks on the disk; null where the engine's folder cannot be read. */
  readonly disk: number | null;
}

const statsShape = z.object({
  memory_stats: z.object({ usage: z.number(), stats: z.record(z.string(), z.number()) }),
});

const inspectShape = z.object({
  GraphDriver: z.object({ Data: z.object({ UpperDir: z.string() }).partial().nullish() }),
  Mounts: z.array(z.object({ Type: z.string(), Source: z.string(), RW: z.boolean() })),
});

const topShape = z.object({ Processes: z.array(z.array(z.string())) });

async function pssOf(container: Docker.Container): Promise<number | null> {
  const { Processes } = topShape.parse(await container.top({ ps_args: '-eo pid' }));
  let kilobytes = 0;
  for (const [pid = ''] of Processes) {
    try {
      const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');
      kilobytes += Number(/^Pss:\s*(\d+)/m.exec(rollup)?.[1] ?? 0);
    } catch (error) {
      // One that has just ended weighs nothing; of the others we must be told.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH' && (error as NodeJS.ErrnoException).code !== 'ENOENT')
        return null;
    }
  }
  return kilobytes * 1024;
}

async function diskOf(container: Docker.Container): Promise<number | null> {
  const { GraphDriver, Mounts } = inspectShape.parse(await container.inspect());
  const own = Mounts.filter(({ Type, RW }) => Type === 'volume' && RW).map(({ Source }) => Source);
  const folders = [...own, GraphDriver.Data?.UpperDir ?? ''].filter((folder) => folder !== '');
  try {
    const output = await runProgram('du', ['--summarize', '--total', '--block-size=1', ...folders]);
    return Number(/^(\d+)\ttotal$/m.exec(output)?.[1] ?? NaN);
  } catch {
    return null;
  }
}

/** Weighs one container. */
export async function weigh(docker: Docker, containerId: string): Promise<Weight> {
  const container = docker.getContainer(containerId);
  const stats: unknown = await container.stats({ stream: false, 'one-shot': true });
  const { usage, stats: parts } = statsShape.parse(stats).memory_stats;
  // Control groups version 1, or 2.
  const cache = parts['total_cache'] ?? parts['file'] ?? 0;
  return { memory: usage - cache, pss: await pssOf(container), disk: await diskOf(container) };
}
