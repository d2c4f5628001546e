import { setTimeout as delay } from 'node:timers/promises';
import type { Engine } from '../engines/engine.ts';
import { formatBytes } from '../labs/quantities.ts';
import { BallastError } from '../protocol/index.ts';

/** Ask what the sandbox takes when so much of the engine's disk has gone since the last time. */
const lookAfterBytes = 64 * 1024 ** 2;
/** Asking costs the engine a walk over its data: never spend more than a fifth of the time on it. */
const restAfterLook = 4;
/** Where the engine's disk cannot be seen from here, ask each so often. */
const blindLookMs = 15_000;

export interface DiskLimits {
  /** What a submission may take of the disk, with all that it builds. */
  readonly diskBytes: number;
  /** What stays free on the engine's disk. */
  readonly reserveBytes: number;
  /** How often to look at the engine's free space, in seconds. */
  readonly checkSeconds: number;
}

/** A submission has gone beyond a limit: it has failed what was being judged. */
export class LimitPassed extends Error {
  /** What would have been right. */
  readonly expected: string;
  readonly hint: string;

  constructor(detail: { expected: string; actual: string; hint: string }) {
    super(detail.actual);
    this.expected = detail.expected;
    this.hint = detail.hint;
  }
}

/**
 * Watch what a sandbox takes of the engine's disk, until `end` aborts.
 * @returns a signal that aborts with LimitPassed when it takes more than it may, and with BallastError disk_full when
 * it grows while the host is short of space: that is nobody's mistake.
 */
export function watchDisk(engine: Engine, id: string, limits: DiskLimits, end: AbortSignal): AbortSignal {
  const passed = new AbortController();
  const allowed = formatBytes(limits.diskBytes);
  let seen = Infinity;
  let taken = 0;

  const look = async (free: number | null): Promise<void> => {
    const bytes = (await engine.diskUse()).sandboxes.get(id) ?? 0;
    const grown = bytes - taken;
    taken = bytes;
    seen = free ?? Infinity;
    if (bytes > limits.diskBytes)
      passed.abort(
        new LimitPassed({
          expected: `The submission is built and judged within ${allowed} of disk.`,
          actual: `It took ${formatBytes(bytes)} of the disk when it was stopped; ${allowed} are allowed.`,
          hint: 'Look for a build step, a test or a service that writes without end.',
        }),
      );
    else if (free !== null && free < limits.reserveBytes && grown > lookAfterBytes)
      passed.abort(
        new BallastError('disk_full', { message: `Only ${formatBytes(free)} are free on the Docker Engine's disk.` }),
      );
  };

  const watch = async (): Promise<void> => {
    while (!end.aborted && !passed.signal.aborted) {
      const began = performance.now();
      let rest = limits.checkSeconds * 1000;
      try {
        const free = (await engine.diskRoom())?.freeBytes ?? null;
        if (seen === Infinity && free !== null) seen = free;
        if (free === null || seen - free > lookAfterBytes || free < limits.reserveBytes) {
          await look(free);
          rest = Math.max(rest, (performance.now() - began) * restAfterLook, free === null ? blindLookMs : 0);
        } else seen = Math.max(seen, free);
      } catch {
        // The engine does not answer: grading itself will say so.
      }
      await delay(rest, undefined, { signal: end, ref: false }).catch(() => undefined);
    }
  };
  void watch();
  return passed.signal;
}
