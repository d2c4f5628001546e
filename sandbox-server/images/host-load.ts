import { readFileSync } from 'node:fs';

/** Above this share of the time in which programs waited for a processor, the machine is busy. */
const busyShare = 0.3;
/** How long this may take at least, in ms, to say anything. */
const leastMs = 1000;

/** Time that programs of this machine have waited for a processor, in microseconds; null where the kernel does not count it. */
export function waitedUs(read = (): string => readFileSync('/proc/pressure/cpu', 'utf8')): number | null {
  try {
    const total = /^some .*total=(\d+)/m.exec(read())?.[1];
    return total === undefined ? null : Number(total);
  } catch {
    return null;
  }
}

/**
 * Begin to watch whether others take this machine's processors.
 * @returns what tells whether they have, since then; null where nobody can say
 */
export function watchHost(waited = waitedUs, now = (): number => performance.now()): () => boolean | null {
  const [before, began] = [waited(), now()];
  return () => {
    const [after, elapsedMs] = [waited(), now() - began];
    if (before === null || after === null || elapsedMs < leastMs) return null;
    return after - before > busyShare * elapsedMs * 1000;
  };
}
