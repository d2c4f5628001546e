import { expect, it } from 'vitest';
import { judgeFailure } from './docker-build.ts';
import { hadItsShare } from './fair-share.ts';
import { parseBuildFailure } from './build-log.ts';
import { parseReading, usedUpBetween } from './sandbox-reading.ts';
import type { SandboxReading } from './sandbox-reading.ts';

const second = `/sys/fs/cgroup/memory.events:low 0
/sys/fs/cgroup/memory.events:max 90
/sys/fs/cgroup/memory.events:oom 2
/sys/fs/cgroup/memory.events:oom_kill 3
/sys/fs/cgroup/memory.events:oom_group_kill 0
/sys/fs/cgroup/pids.events:max 7
/sys/fs/cgroup/cpu.stat:usage_usec 1500000
/sys/fs/cgroup/cpu.stat:user_usec 1000000
/sys/fs/cgroup/cpu.pressure:some avg10=0.00 avg60=0.00 avg300=0.00 total=250000
/proc/pressure/cpu:some avg10=22.69 avg60=42.44 avg300=49.12 total=6032007497
disk:1000000 4096
`;
const first = `/sys/fs/cgroup/memory/memory.oom_control:oom_kill_disable 0
/sys/fs/cgroup/memory/memory.oom_control:under_oom 0
/sys/fs/cgroup/memory/memory.oom_control:oom_kill 3
/sys/fs/cgroup/memory/memory.failcnt:2
/sys/fs/cgroup/memory/memory.max_usage_in_bytes:2147352576
/sys/fs/cgroup/memory/memory.limit_in_bytes:2147483648
/sys/fs/cgroup/pids/pids.events:max 7
/sys/fs/cgroup/cpuacct/cpuacct.usage:1500000000
/proc/pressure/cpu:some avg10=22.69 avg60=42.44 avg300=49.12 total=250000
/proc/pressure/cpu:full avg10=0.00 avg60=0.00 avg300=0.00 total=0
disk:1000000 4096
`;
const reading: SandboxReading = {
  at: 0,
  oomKills: 0,
  memoryLimitHits: 0,
  reachedMemoryLimit: false,
  forksRefused: 0,
  cpuMs: 0,
  waitedMs: 0,
  freeBytes: 1e12,
};

it.each([
  ['first', first, true],
  ['second', second, false],
])('reads the counters of the %s version of control groups', (_name, text, reachedMemoryLimit) => {
  expect(parseReading(text, 5)).toEqual({
    at: 5,
    oomKills: 3,
    memoryLimitHits: 2,
    reachedMemoryLimit,
    forksRefused: 7,
    cpuMs: 1500,
    waitedMs: 250,
    freeBytes: 4_096_000_000,
  });
});

it("tells the sandbox's own limit on memory from a host that is short of it", () => {
  expect(usedUpBetween(reading, { ...reading, oomKills: 1, memoryLimitHits: 4 })).toMatchObject({ memory: true });
  expect(usedUpBetween(reading, { ...reading, oomKills: 1, reachedMemoryLimit: true })).toMatchObject({ memory: true });
  expect(usedUpBetween(reading, { ...reading, oomKills: 1 })).toMatchObject({ memory: false, hostMemory: true });
  // Reclaiming its own cache comes up against the limit as well, and harms nobody.
  expect(usedUpBetween(reading, { ...reading, memoryLimitHits: 4 })).toMatchObject({ memory: false });
});

const failureOf = (error: string): ReturnType<typeof parseBuildFailure> =>
  parseBuildFailure(` > [2/2] RUN x:\n------\nERROR: failed to solve: ${error}\n`);

it('takes the word of the kernel over that of the log', () => {
  const killed = failureOf('process "/bin/sh -c x" did not complete successfully: exit code: 137');
  const enough = { ...reading, oomKills: 1, memoryLimitHits: 1 };
  expect(judgeFailure(killed, reading, enough).cause).toBe('out-of-memory');
  expect(judgeFailure(killed, reading, reading).cause).toBe('build');
  expect(judgeFailure(killed, null, reading).cause).toBeUndefined();
  expect(judgeFailure(killed, reading, { ...reading, forksRefused: 1 }).cause).toBe('out-of-processes');
  expect(() => judgeFailure(killed, reading, { ...reading, oomKills: 1 })).toThrow(/machine ran out of memory/);
});

it('blames nobody for a full disk, and a build for the engine that it brought down', () => {
  const noSpace = failureOf('write /x: no space left on device');
  expect(() => judgeFailure(noSpace, reading, { ...reading, freeBytes: 1000 })).toThrow(
    expect.objectContaining({ code: 'disk_full' }),
  );
  const gone = failureOf('error reading from server: EOF');
  expect(() => judgeFailure(gone, reading, reading)).toThrow(expect.objectContaining({ code: 'engine_failed' }));
  expect(judgeFailure(gone, reading, { ...reading, oomKills: 2, memoryLimitHits: 9 }).cause).toBe('out-of-memory');
  expect(judgeFailure(gone, reading, { ...reading, forksRefused: 50 }).cause).toBe('out-of-processes');
});

it('says of what ran out of time whether the machine was to blame', () => {
  const limitMs = 100_000;
  const late = { ...reading, at: 75_000, cpuMs: 20_000 };
  const end = { ...reading, at: 100_000, waitedMs: 80_000 };
  // It sleeps, on a busy machine.
  expect(hadItsShare(reading, late, { ...end, cpuMs: 20_600 }, limitMs)).toBe(true);
  // It spins.
  expect(hadItsShare(reading, { ...late, cpuMs: 60_000 }, { ...end, cpuMs: 80_000 }, limitMs)).toBe(true);
  // It computes, and others do so too.
  expect(hadItsShare(reading, late, { ...end, cpuMs: 27_000 }, limitMs)).toBe(false);
  // The same, when it has been given more time.
  expect(hadItsShare(reading, late, { ...end, at: 200_000, cpuMs: 51_000, waitedMs: 160_000 }, limitMs)).toBe(true);
  // It computes in small pieces, on a quiet machine.
  expect(hadItsShare(reading, late, { ...end, cpuMs: 27_000, waitedMs: 5000 }, limitMs)).toBe(true);
});
