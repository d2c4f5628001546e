import { statfsSync } from 'node:fs';
import { availableParallelism, freemem, loadavg } from 'node:os';

/** What the machine has to give at this moment. */
export interface HostRoom {
  /** Memory that programs could still get, caches given up included. */
  readonly memoryBytes: number;
  /** Free on the disk with the sandboxes' data; null when it cannot be seen from here. */
  readonly diskBytes: number | null;
  /** Mean number of programs that ran or wanted to, over the last minute, for each core. */
  readonly loadPerCore: number;
  readonly cores: number;
}

export interface AdmissionLimits {
  /** Memory that a sandbox needs to be of use. */
  readonly sandboxMemoryBytes: number;
  /** Memory that is left to the machine. */
  readonly memoryReserveBytes: number;
  /** Disk that a lab's builds take. */
  readonly sandboxDiskBytes: number;
  /** Disk that is left to the machine. */
  readonly diskReserveBytes: number;
  /** No sandbox is started while more programs than this want each core. */
  readonly maxLoadPerCore: number;
  /** Most sessions that have a sandbox at once. */
  readonly maxSessions: number;
}

/** How many there are. */
export interface Demand {
  /** Sessions that have a sandbox or are getting one. */
  readonly active: number;
  /** Sandboxes that are being started. */
  readonly starting: number;
}

export type Verdict =
  | { readonly kind: 'admit' }
  /** Comes right by itself, when a session ends or a start is done. */
  | { readonly kind: 'wait'; readonly for: 'a session to end' | 'a start to finish' | 'the machine' }
  /** Nobody can say when it comes right. */
  | { readonly kind: 'refuse'; readonly reason: string };

/** More starts at once than cores only slow each other down. */
export const startsAtOnce = (cores: number): number => Math.max(2, cores);

/**
 * Measures the machine.
 * @param dataDir folder on the disk that the sandboxes' data is on, if this process can see it
 */
export function measureHost(dataDir: string | null): HostRoom {
  const cores = availableParallelism();
  let diskBytes: number | null = null;
  if (dataDir !== null) {
    try {
      const { bavail, bsize } = statfsSync(dataDir);
      diskBytes = bavail * bsize;
    } catch {
      // The engine is on another machine, or we may not look there: its own watch must do.
    }
  }
  return { memoryBytes: freemem(), diskBytes, loadPerCore: (loadavg()[0] ?? 0) / cores, cores };
}

/** Whether one more sandbox can be started now. A session that could not be served must not be accepted. */
export function assess(room: HostRoom, demand: Demand, limits: AdmissionLimits): Verdict {
  // Those that are starting have not taken what they will need.
  const coming = demand.starting + 1;
  if (room.diskBytes !== null && room.diskBytes < limits.diskReserveBytes + coming * limits.sandboxDiskBytes) {
    return { kind: 'refuse', reason: 'The disk of this server is nearly full.' };
  }
  if (demand.active >= limits.maxSessions) return { kind: 'wait', for: 'a session to end' };
  if (room.memoryBytes < limits.memoryReserveBytes + coming * limits.sandboxMemoryBytes) {
    return demand.active === 0
      ? { kind: 'refuse', reason: 'This server has not enough free memory for a sandbox.' }
      : { kind: 'wait', for: 'a session to end' };
  }
  if (demand.starting >= startsAtOnce(room.cores)) return { kind: 'wait', for: 'a start to finish' };
  if (room.loadPerCore > limits.maxLoadPerCore && demand.active > 0) return { kind: 'wait', for: 'the machine' };
  return { kind: 'admit' };
}

/**
 * How long the one at `position` waits, at the longest that can be foreseen.
 * @param endings when running sessions end, ms since 1970
 * @param startMs how long a start takes, from those before
 * @returns seconds; null when nothing tells
 */
export function estimateWait(
  position: number,
  verdict: Verdict,
  facts: {
    readonly endings: readonly number[];
    readonly startMs: number | null;
    readonly cores: number;
    readonly now: number;
  },
): number | null {
  if (verdict.kind === 'wait' && verdict.for === 'a session to end') {
    const ending = [...facts.endings].sort((a, b) => a - b)[position - 1];
    return ending === undefined ? null : Math.max(1, Math.ceil((ending - facts.now) / 1000));
  }
  if (facts.startMs === null || (verdict.kind === 'wait' && verdict.for === 'the machine')) return null;
  return Math.ceil((Math.ceil(position / startsAtOnce(facts.cores)) * facts.startMs) / 1000);
}
