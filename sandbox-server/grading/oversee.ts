import { setTimeout as delay } from 'node:timers/promises';
import { watchShare } from '../checks/fair-share.ts';
import type { SandboxShell } from '../checks/index.ts';
import { readSandbox, usedUpBetween } from '../checks/sandbox-reading.ts';
import type { Failed } from '../checks/runner.ts';
import type { Engine, SandboxLimits } from '../engines/engine.ts';
import { formatBytes } from '../labs/quantities.ts';
import { BallastError } from '../protocol/index.ts';
import type { ErrorCode } from '../protocol/index.ts';
import { StoppedShort } from './run-checks-in-time.ts';
import type { Overseer } from './run-checks-in-time.ts';

const pollMs = 1000;
/** Ask what the sandbox takes when so much of the engine's disk has gone: to ask is a walk over its data. */
const lookAfterBytes = 128 * 1024 ** 2;
/** Where the engine's disk cannot be seen from here, ask each so often. */
const blindPollMs = 15_000;
/** Share of the limit on processes at which there is none left to start a program with. */
const nearlyAll = 0.95;

/**
 * What goes wrong when a sandbox has nothing left to work with. Anything else (a lab with a mistake, data that are missing
 * here, a bug of ours) is not explained by what a submission has used up, whatever that was.
 */
const bySandbox: ReadonlySet<ErrorCode> = new Set(['sandbox_failed', 'engine_failed', 'check_timeout']);

export interface OverseenSandbox {
  readonly engine: Engine;
  readonly id: string;
  readonly shell: SandboxShell;
  readonly limits: SandboxLimits;
  /** Most that it may take of the disk. */
  readonly diskBytes: number;
}

/**
 * Look after a grading sandbox while a submission is judged in it, by what the engine and the kernel say: what used up
 * its own limits is the submission's doing, also where the sandbox's engine was the one to fall over.
 * @param timeoutMs limit on the whole, for `hadItsShare`
 */
export function oversee(sandbox: OverseenSandbox, timeoutMs: number): Overseer & Disposable {
  const { engine, id, shell, limits, diskBytes } = sandbox;
  const end = new AbortController();
  const tooMuch = new AbortController();
  const share = watchShare(() => readSandbox(shell), timeoutMs);
  void watchDisk(engine, id, diskBytes, end.signal, (bytes) => {
    tooMuch.abort(diskFull(bytes, diskBytes));
  });

  return {
    signal: tooMuch.signal,
    hadItsShare: () => share.hadItsShare(),
    async blame(error) {
      if (!(error instanceof BallastError) || !bySandbox.has(error.code)) return undefined;
      const [before, after] = await Promise.all([share.before, readSandbox(shell)]);
      if (before !== null && after !== null) {
        const { memory, processes } = usedUpBetween(before, after);
        if (memory) return within(limits, `It used up its memory: the kernel ended programs in the sandbox.`);
        return processes ? within(limits, 'It started processes until no more were allowed.') : undefined;
      }
      const use = await engine.resourceUse(id).catch(() => null);
      const none = use !== null && use.processes >= (use.processLimit ?? Infinity) * nearlyAll;
      return none ? within(limits, `It runs ${String(use.processes)} processes, all that are allowed.`) : undefined;
    },
    [Symbol.dispose]() {
      share.stop();
      end.abort();
    },
  };
}

const within = ({ memoryBytes, pids }: SandboxLimits, actual: string): Failed => ({
  status: 'fail',
  expected: `The submission keeps to ${formatBytes(memoryBytes)} of memory and ${String(pids)} processes.`,
  actual: `${actual} This check could not be done any more.`,
  hint: 'Look for a step or a service that starts programs, or takes memory, without end.',
});

const diskFull = (bytes: number, limit: number): StoppedShort =>
  new StoppedShort({
    expected: `The submission takes at most ${formatBytes(limit)} of disk.`,
    actual: `It took ${formatBytes(bytes)} of disk, where ${formatBytes(limit)} are allowed, and was stopped.`,
    hint: 'Look for a build step or a service that writes without end.',
  });

/** Tells of what the sandbox takes once that is more than `most`. Never rejects. */
async function watchDisk(
  engine: Engine,
  id: string,
  most: number,
  signal: AbortSignal,
  tell: (bytes: number) => void,
): Promise<void> {
  let seen: number | undefined;
  while (!signal.aborted) {
    try {
      const room = await engine.diskRoom();
      if (room === null || (seen !== undefined && seen - room.freeBytes > lookAfterBytes)) {
        const bytes = (await engine.diskUse()).sandboxes.get(id) ?? 0;
        if (bytes > most) {
          tell(bytes);
          return;
        }
        seen = room?.freeBytes;
      }
      // What was freed is there to be taken once more.
      if (room !== null) seen = Math.max(seen ?? 0, room.freeBytes);
      await delay(room === null ? blindPollMs : pollMs, undefined, { signal, ref: false });
    } catch {
      // An engine that does not answer is told of by what else is asked of it.
      await delay(pollMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }
}
