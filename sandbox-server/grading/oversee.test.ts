import { expect, it } from 'vitest';
import type { RunResult, SandboxShell } from '../checks/sandbox-shell.ts';
import type { Engine } from '../engines/engine.ts';
import { BallastError } from '../protocol/index.ts';
import type { ErrorCode } from '../protocol/index.ts';
import { oversee } from './oversee.ts';

const gigabyte = 1024 ** 3;

/** A sandbox whose counters of refused forks and of killed programs grow with each reading. */
function makeSandbox(counters: (reading: number) => string | null): Parameters<typeof oversee>[0] {
  let readings = 0;
  const shell: SandboxShell = {
    run: (): Promise<RunResult> => {
      const text = counters(readings);
      readings += 1;
      if (text === null) return Promise.reject(new BallastError('sandbox_failed'));
      return Promise.resolve({
        exitCode: 0,
        stdout: `${text}\ndisk:1000000 4096\n`,
        stderr: '',
        timedOut: false,
        truncated: false,
      });
    },
    stream: () => Promise.reject(new Error('unused')),
  };
  const engine: Pick<Engine, 'diskRoom' | 'diskUse' | 'resourceUse'> = {
    diskRoom: () => Promise.resolve({ freeBytes: gigabyte, freeInodes: 1, allInodes: 0 }),
    diskUse: () => Promise.reject(new Error('unused')),
    resourceUse: () => Promise.resolve({ processes: 512, processLimit: 512, cpuMs: 0, memoryPeakBytes: null }),
  };
  const limits = { memoryBytes: gigabyte, cpus: 1, pids: 512 };
  return { engine: engine as Engine, id: 'x', shell, limits, diskBytes: gigabyte };
}

const refused = (reading: number): string => `/sys/fs/cgroup/pids.events:max ${String(reading)}`;
const killed = (reading: number): string =>
  `/sys/fs/cgroup/memory.events:oom_kill ${String(reading)}\n/sys/fs/cgroup/memory.events:oom ${String(reading)}`;
const blame = async (counters: (reading: number) => string | null, error: unknown): Promise<string | undefined> => {
  using overseer = oversee(makeSandbox(counters), 1000);
  return (await overseer.blame(error))?.actual;
};

it.each<ErrorCode>(['sandbox_failed', 'engine_failed', 'check_timeout'])(
  'is what used up its limits to blame for %s',
  async (code) => {
    const error = new BallastError(code);
    expect(await blame(refused, error)).toMatch(/started processes until no more/);
    expect(await blame(killed, error)).toMatch(/used up its memory/);
    expect(await blame((reading) => (reading === 0 ? '' : null), error)).toMatch(/runs 512 processes/);
    expect(await blame(() => '', error)).toBeUndefined();
  },
);

it.each([
  new BallastError('cve_data_missing'),
  new BallastError('lab_invalid'),
  new BallastError('disk_full'),
  new BallastError('host_busy'),
  new BallastError('internal'),
  new TypeError('a bug of ours'),
])('is not to blame for what has another reason, though a fork was refused: %s', async (error) => {
  expect(await blame(refused, error)).toBeUndefined();
  expect(await blame((reading) => (reading === 0 ? '' : null), error)).toBeUndefined();
});
