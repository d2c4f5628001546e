import type { SandboxReading } from './sandbox-reading.ts';

/** Below this share of one core of late, a program waits for something that does not come. */
const idleShare = 0.05;
/** What it costs to take a reading, in CPU time of the sandbox. */
const readingCostMs = 500;
/** With this share of the limit on one core, it was given enough to compute. */
const enoughShare = 0.5;
/** Above this share of the time in which programs waited for a CPU, the machine is busy. */
const busyShare = 0.3;

/**
 * Whether what ran out of time has itself to blame: it waited for something that never came, it was given its share of
 * the machine, or the machine was not busy. Else others had taken the machine, and nobody can say how long it would
 * have needed.
 * @param late a reading near the end, to see whether it still computed then; @param limitMs the time that it had
 */
export function hadItsShare(
  before: SandboxReading,
  late: SandboxReading,
  after: SandboxReading,
  limitMs: number,
): boolean {
  if (after.cpuMs - late.cpuMs < idleShare * (after.at - late.at) + readingCostMs) return true;
  if (after.cpuMs - before.cpuMs >= enoughShare * limitMs) return true;
  return after.waitedMs - before.waitedMs < busyShare * (after.at - before.at);
}

/** Takes the readings that `hadItsShare` needs. */
export interface ShareWatch {
  /** To ask when time has run out, and again later: false while the host is too busy to say. */
  hadItsShare(): Promise<boolean>;
  /** What there was when it began; null when nothing can be read. */
  readonly before: Promise<SandboxReading | null>;
  stop(): void;
}

/** @param limitMs time after which it is asked first */
export function watchShare(read: () => Promise<SandboxReading | null>, limitMs: number): ShareWatch {
  const before = read();
  let late = before;
  const timer = setTimeout(
    () => {
      late = read();
    },
    (limitMs * 3) / 4,
  );
  timer.unref();
  return {
    before,
    async hadItsShare() {
      const [first, middle, last] = await Promise.all([before, late, read()]);
      // Where no program can be started any more, the sandbox has used up what it was given.
      if (first === null || middle === null || last === null) return true;
      late = Promise.resolve(last);
      return hadItsShare(first, middle, last, limitMs);
    },
    stop() {
      clearTimeout(timer);
    },
  };
}
