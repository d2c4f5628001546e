import { setTimeout as delay } from 'node:timers/promises';
import type { Engine } from '../engines/engine.ts';
import { BallastError } from '../protocol/index.ts';

/** An engine that is being restarted, its machine perhaps too, is waited for so long. */
const patienceMs = 10 * 60_000;
const defaultPauseMs = 1000;
/** An engine that answers, and refuses all the same, is asked so often: one that is going down does that at first. */
const mostRefusals = 5;

/**
 * Does what needs the engine again, as long as it fails because the engine is going away, gone, or coming back.
 * @param options.onWait called before each wait
 * @param options.pauseMs between two looks whether it answers
 * @throws what `task` threw last; the reason of `signal`
 */
export async function outlastEngine<Result>(
  engine: Engine,
  task: () => Promise<Result>,
  options: { readonly signal: AbortSignal; onWait(error: BallastError): void; readonly pauseMs?: number },
): Promise<Result> {
  const until = performance.now() + patienceMs;
  for (let refusals = 0; ;) {
    try {
      return await task();
    } catch (error) {
      const ofEngine = error instanceof BallastError && ['engine_missing', 'engine_failed'].includes(error.code);
      if (error instanceof BallastError && error.code === 'engine_failed') refusals += 1;
      if (!ofEngine || refusals >= mostRefusals || performance.now() > until) throw error;
      options.onWait(error);
      await untilItAnswers(engine, until, options);
    }
  }
}

async function untilItAnswers(
  engine: Engine,
  until: number,
  { signal, pauseMs = defaultPauseMs }: { readonly signal: AbortSignal; readonly pauseMs?: number },
): Promise<void> {
  do {
    await delay(pauseMs, undefined, { signal }).catch(() => {
      signal.throwIfAborted();
    });
  } while (
    performance.now() < until &&
    !(await engine.info().then(
      () => true,
      () => false,
    ))
  );
}
