import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Engine } from '../engines/engine.ts';

const pollMs = 1000;

/**
 * Waits for a sandbox to stop by itself: its log ends then.
 * @param options.signal aborts when it is let go of, or stopped by us
 * @param options.onLine told each line of its log that comes from now on
 * @returns whether it stopped; false when `signal` aborted first
 */
export async function whenStopped(
  engine: Engine,
  sandboxId: string,
  options: { readonly signal: AbortSignal; readonly logger: Logger; onLine?(line: string): void },
): Promise<boolean> {
  const { signal, logger } = options;
  const letGo = (): boolean => signal.aborted;
  while (!letGo()) {
    try {
      for await (const line of engine.followLog(sandboxId, signal, { from: 'now' })) options.onLine?.(line);
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
