export interface BackoffOptions {
  /** Delay before the first retry, in ms. */
  readonly baseMs?: number;
  readonly maxMs?: number;
  /** 0..1, as Math.random; tests give their own. */
  readonly random?: () => number;
}

/**
 * Delay in ms before retry number `attempt` (from 0): doubles each time up to a limit, then a random half of it
 * is taken off, so that a class of thirty does not come back in the same instant.
 */
export function backoffDelay(attempt: number, options: BackoffOptions = {}): number {
  const { baseMs = 500, maxMs = 15_000, random = Math.random } = options;
  const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 30));
  return Math.round(ceiling / 2 + (ceiling / 2) * random());
}
