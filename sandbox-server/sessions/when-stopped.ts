import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Engine } from '../engines/engine.ts';

const pollMs = 1000;

/**
 * Waits for a sandbox to stop by itself: its log ends then.
 * @param signal aborts when it is let go of, or stopped by us
 * @returns whether it stopped; false when `signal` aborted first
 */
export async function whenStopped(
  engine: Engine,
  sandboxId: string,
  signal: AbortSignal,
  logger: Logger,
): Promise<boolean> {
  const letGo = (): boolean => signal.aborted;
  while (!letGo()) {
    try {
      const lines = engine.followLog(sandboxId, signal)[Symbol.asyncIterator]();
      let line = await lines.next();
      while (line.done !== true) line = await lines.next();
    } catch (error) {
      if (!letGo()) logger.warn({ err: error, sandbox: sandboxId }, 'the log of a sandbox broke off');
    }
    // No answer says nothing of the sandbox: the engine may be starting again.
    const record = await engine.inspectSandbox(sandboxId).catch(() => undefined);
    if (letGo()) return false;
    if (record !== undefined && record?.running !== true) return true;
    await delay(pollMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
  return false;
}
