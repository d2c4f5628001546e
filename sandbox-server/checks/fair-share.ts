import { setTimeout as delay } from 'node:timers/promises';
import { BallastError } from '../protocol/index.ts';
import type { CheckContext } from './check-kind.ts';
import { readSandbox } from './sandbox-reading.ts';
import type { SandboxReading } from './sandbox-reading.ts';

/** Below this share of one core of late, a program waits for something that does not come. */
const idleShare = 0.05;
/** What it costs to take a reading, in CPU time of the sandbox; where little time lies between two, a share of that. */
const readingCostMs = 500;
const readingCostShare = 0.05;
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
  const window = after.at - late.at;
  const readingCost = Math.min(readingCostMs, readingCostShare * window);
  if (after.cpuMs - late.cpuMs < idleShare * window + readingCost) return true;
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

/** On a busy host what is waited for is given up to so many times its time, until it has had its share of the machine. */
export const mostPatience = 4;
/** How often it is asked, in each further time of that length, whether it had its share by now. */
export const looksPerLimit = 4;
/** Past its limit: looking often would itself take what makes a program that waits look busy. */
const latePollMs = 1000;

export interface FairWait {
  /** Time that it has on a machine that is not busy, in ms. */
  readonly limitMs: number;
  readonly pollMs: number;
}

/**
 * Look again and again until there is something to see, or time has run out with the sandbox's fair share of the
 * machine; where others have the processors, it goes on for up to four times as long.
 * @param look undefined for nothing yet
 * @returns undefined when time has run out
 * @throws BallastError host_busy when even the longer time was not its fair share
 */
export async function lookInFairTime<Seen>(
  { shell, signal }: Pick<CheckContext, 'shell' | 'signal'>,
  { limitMs, pollMs }: FairWait,
  look: () => Promise<Seen | undefined>,
): Promise<Seen | undefined> {
  const share = watchShare(() => readSandbox(shell), limitMs);
  try {
    const began = performance.now();
    let askAt = began + limitMs;
    for (;;) {
      const seen = await look();
      if (seen !== undefined) return seen;
      const now = performance.now();
      if (now >= askAt) {
        if (await share.hadItsShare()) return undefined;
        if (now >= began + limitMs * mostPatience) throw new BallastError('host_busy');
        askAt = now + limitMs / looksPerLimit;
      }
      const late = now >= began + limitMs;
      await delay(late ? Math.max(pollMs, Math.min(latePollMs, limitMs / looksPerLimit)) : pollMs, undefined, {
        signal,
      });
    }
  } finally {
    share.stop();
  }
}
