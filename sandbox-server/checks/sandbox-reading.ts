import { BallastError } from '../protocol/index.ts';
import type { SandboxShell } from './sandbox-shell.ts';

/** What the kernel has counted of one sandbox since it was made. Only differences of two readings say something. */
export interface SandboxReading {
  /** When it was taken, in ms of `performance.now()`. */
  readonly at: number;
  /** Programs that the kernel ended for want of memory, whoever was short of it. */
  readonly oomKills: number;
  /** Times that the sandbox came up against its own limit on memory. */
  readonly memoryLimitHits: number;
  /** Whether it has ever taken all the memory that it may: Linux 6.18 counts no hits in the first version. */
  readonly reachedMemoryLimit: boolean;
  /** Times that no process could be started because of the sandbox's own limit. */
  readonly forksRefused: number;
  /** CPU time of all its programs. */
  readonly cpuMs: number;
  /** Time that programs (the sandbox's own, or with the first version of control groups any of the host) waited for a CPU. */
  readonly waitedMs: number;
  /** Free bytes where its files are. */
  readonly freeBytes: number;
}

/** Both versions of control groups: those of the other are not there, and are passed over. */
const files = [
  '/sys/fs/cgroup/memory.events',
  '/sys/fs/cgroup/pids.events',
  '/sys/fs/cgroup/cpu.stat',
  '/sys/fs/cgroup/cpu.pressure',
  '/sys/fs/cgroup/memory/memory.oom_control',
  '/sys/fs/cgroup/memory/memory.failcnt',
  '/sys/fs/cgroup/memory/memory.max_usage_in_bytes',
  '/sys/fs/cgroup/memory/memory.limit_in_bytes',
  '/sys/fs/cgroup/pids/pids.events',
  '/sys/fs/cgroup/cpuacct/cpuacct.usage',
  '/proc/pressure/cpu',
];
const script = '/usr/bin/grep -s -H "" -- "$@"; /usr/bin/stat --file-system --format="disk:%a %S" /home/learner';
const timeoutMs = 20_000;
/** The kernel hands memory out in batches, and refuses one that does not fit whole. */
const batchBytes = 1024 ** 2;

/**
 * Read the sandbox's own counters.
 * @returns null when no program can be started in it, which happens when a submission has used up its processes.
 */
export async function readSandbox(shell: SandboxShell): Promise<SandboxReading | null> {
  try {
    const { stdout } = await shell.run(['/bin/bash', '-c', script, 'bash', ...files], { timeoutMs });
    return /^disk:/m.test(stdout) ? parseReading(stdout, performance.now()) : null;
  } catch {
    return null;
  }
}

/** @param counters lines "file:line" as grep prints them, and "disk:blocks size"; @param at in ms */
export function parseReading(counters: string, at: number): SandboxReading {
  const number = (pattern: RegExp): number | undefined => {
    const found = pattern.exec(counters)?.[1];
    return found === undefined ? undefined : Number(found);
  };
  const [, blocks = '', size = ''] = /^disk:(\d+) (\d+)$/m.exec(counters) ?? [];
  const cpuNs = number(/cpuacct\.usage:(\d+)/);
  const cpuUs = number(/cgroup\/cpu\.stat:usage_usec (\d+)/);
  const waitedUs =
    number(/cgroup\/cpu\.pressure:some .*total=(\d+)/) ?? number(/pressure\/cpu:some .*total=(\d+)/) ?? 0;
  return {
    at,
    oomKills: number(/memory\.(?:events|oom_control):oom_kill (\d+)/) ?? 0,
    memoryLimitHits: number(/memory\.events:oom (\d+)/) ?? number(/memory\.failcnt:(\d+)/) ?? 0,
    reachedMemoryLimit:
      (number(/memory\.max_usage_in_bytes:(\d+)/) ?? 0) >=
      (number(/memory\.limit_in_bytes:(\d+)/) ?? Infinity) - batchBytes,
    forksRefused: number(/pids\.events:max (\d+)/) ?? 0,
    cpuMs: cpuNs === undefined ? (cpuUs ?? 0) / 1000 : cpuNs / 1e6,
    waitedMs: waitedUs / 1000,
    freeBytes: Number(blocks) * Number(size),
  };
}

/** Where less is free, the disk is full for whoever writes. */
const fullBytes = 64 * 1024 ** 2;

/** What was used up between two readings: of the sandbox's own limits, or what it shares with others. */
export interface UsedUp {
  readonly memory: boolean;
  readonly processes: boolean;
  /** The disk that all share. */
  readonly disk: boolean;
  /** The host was short of memory and ended programs, though the sandbox kept within its limit. */
  readonly hostMemory: boolean;
}

/** Compare two readings of one sandbox. */
export function usedUpBetween(before: SandboxReading, after: SandboxReading): UsedUp {
  const killed = after.oomKills > before.oomKills;
  const ownLimit = after.memoryLimitHits > before.memoryLimitHits || after.reachedMemoryLimit;
  return {
    memory: killed && ownLimit,
    processes: after.forksRefused > before.forksRefused,
    disk: after.freeBytes < fullBytes,
    hostMemory: killed && !ownLimit,
  };
}

/**
 * Whether the sandbox has run out of memory since a reading.
 * @returns undefined where it can't be told
 * @throws BallastError engine_failed when it was the machine that did
 */
export async function ranOutOfMemory(
  since: Promise<SandboxReading | null>,
  shell: SandboxShell,
): Promise<boolean | undefined> {
  const [before, after] = await Promise.all([since, readSandbox(shell)]);
  if (before === null || after === null) return undefined;
  const { memory, hostMemory } = usedUpBetween(before, after);
  if (hostMemory) throw new BallastError('engine_failed', { message: 'The machine ran out of memory.' });
  return memory;
}
