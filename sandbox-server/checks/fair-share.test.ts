import { expect, it } from 'vitest';
import { hadItsShare, lookInFairTime } from './fair-share.ts';
import { parseReading } from './sandbox-reading.ts';
import type { RunResult, SandboxShell } from './sandbox-shell.ts';

/** A sandbox whose counters go on as told, at so much a millisecond. */
function sandbox(cpuShare: number, waitedShare: number): SandboxShell {
  const began = performance.now();
  const run = (): Promise<RunResult> => {
    const ms = performance.now() - began;
    const stdout = [
      `/sys/fs/cgroup/cpu.stat:usage_usec ${String(Math.round(ms * cpuShare * 1000))}`,
      `/sys/fs/cgroup/cpu.pressure:some avg10=0 total=${String(Math.round(ms * waitedShare * 1000))}`,
      'disk:1000000 4096',
    ].join('\n');
    return Promise.resolve({ exitCode: 0, stdout, stderr: '', timedOut: false, truncated: false });
  };
  return { run, stream: () => Promise.reject(new Error('not asked for')) };
}

const wait = { limitMs: 200, pollMs: 10 };
const { signal } = new AbortController();

async function look(shell: SandboxShell, readyAfterMs = Infinity): Promise<{ seen: unknown; ms: number }> {
  const began = performance.now();
  const seen = await lookInFairTime({ shell, signal }, wait, () =>
    Promise.resolve(performance.now() - began >= readyAfterMs ? 'ready' : undefined),
  ).catch((error: unknown) => error);
  return { seen, ms: performance.now() - began };
}

it('gives what is looked for, and undefined when time has run out on a quiet machine', async () => {
  expect((await look(sandbox(0.3, 0), 50)).seen).toBe('ready');
  const { seen, ms } = await look(sandbox(0.3, 0));
  expect(seen).toBeUndefined();
  expect(ms).toBeLessThan(400);
});

it('goes on where others have the processors, and blames nobody in the end', async () => {
  expect((await look(sandbox(0.2, 0.9), 400)).seen).toBe('ready');
  expect(await look(sandbox(0.11, 0.9))).toMatchObject({ seen: { code: 'host_busy' } });
});

it('ends in time for what has its share, or waits for something that never comes', async () => {
  for (const shell of [sandbox(0.9, 0.9), sandbox(0.01, 0.9)]) {
    const { seen, ms } = await look(shell);
    expect(seen).toBeUndefined();
    expect(ms).toBeLessThan(400);
  }
});

it('does not take a program for idle that is starved for some seconds', () => {
  const at = (ms: number, cpuMs: number, waitedMs: number) => ({ ...parseReading('', ms), cpuMs, waitedMs });
  expect(hadItsShare(at(0, 0, 0), at(7500, 1500, 7000), at(10_000, 2000, 9500), 10_000)).toBe(false);
});
