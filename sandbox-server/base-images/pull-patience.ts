import { setTimeout as delay } from 'node:timers/promises';
import type { PullFailure } from './pull-failure.ts';

/** A connection that was cut, or a server in trouble, gets this many more attempts, 1, 2 and 4 seconds apart. */
const furtherAttempts = 3;
/** Wait of a registry that limits the rate and does not say how long; twice as long each time. */
const unsaidWaitSeconds = 15;
const reportEverySeconds = 5;

/** How long we go on waiting for one registry. */
export class Patience {
  #leftSeconds: number;

  /** @param seconds that all waits for a registry that limits the rate may take together. */
  constructor(seconds: number) {
    this.#leftSeconds = seconds;
  }

  /** Take so many seconds of it; false, and none taken, when there are not enough left. */
  spend(seconds: number): boolean {
    if (seconds > this.#leftSeconds) return false;
    this.#leftSeconds -= seconds;
    return true;
  }
}

export interface PatienceOptions {
  /** Shared by all images of a registry. */
  readonly patience: Patience;
  /** Who is asked, for messages. */
  readonly host: string;
  /** Takes a line for people, while waiting. */
  readonly report: (text: string) => void;
  /** Lets so many seconds pass; the clock's unless a test has another. */
  readonly pass?: (seconds: number) => Promise<void>;
}

const passTime = (seconds: number): Promise<void> => delay(seconds * 1000);

/**
 * Pull one image, waiting where a registry asks for it and trying again where the connection was cut.
 * @param attempt one attempt; null when the image is there.
 * @returns null when the image is there, else the failure of the last attempt.
 */
export async function pullPatiently(
  attempt: () => Promise<PullFailure | null>,
  { patience, host, report, pass = passTime }: PatienceOptions,
): Promise<PullFailure | null> {
  let broken = 0;
  let limited = 0;
  for (;;) {
    const failure = await attempt();
    if (failure === null) return null;
    if (failure.kind === 'rate-limited') {
      // At least a second, or a registry that says 0 would be asked without end.
      const seconds = Math.max(1, failure.retryAfterSeconds ?? unsaidWaitSeconds * 2 ** limited);
      if (!patience.spend(seconds)) return failure;
      limited += 1;
      for (let left = seconds; left > 0; left -= reportEverySeconds) {
        report(`${host} limits the rate: going on in ${String(left)} s`);
        await pass(Math.min(left, reportEverySeconds));
      }
    } else if ((failure.kind === 'cut' || failure.kind === 'unavailable') && broken < furtherAttempts) {
      report(`${host} failed (${failure.detail}): trying again`);
      await pass(2 ** broken);
      broken += 1;
    } else return failure;
  }
}
