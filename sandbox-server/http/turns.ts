import { BallastError } from '../protocol/index.ts';

/** Lets so many work at a time, and so many wait. */
export interface Turns {
  /**
   * Work when it is one's turn.
   * @throws BallastError capacity when too many wait already; the reason of `signal` while waiting
   */
  take<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result>;
}

export function createTurns(most: number, mostWaiting: number): Turns {
  let working = 0;
  const waiting = new Set<() => void>();

  const turn = async (signal: AbortSignal): Promise<void> => {
    if (working < most) {
      working += 1;
      return;
    }
    if (waiting.size >= mostWaiting) {
      throw new BallastError('capacity', {
        message: 'Too many submissions wait to be graded.',
        hint: 'Try again in a few minutes.',
      });
    }
    const called = Promise.withResolvers<undefined>();
    const call = (): void => {
      called.resolve(undefined);
    };
    const leave = (): void => {
      waiting.delete(call);
      called.reject(signal.reason);
    };
    waiting.add(call);
    signal.addEventListener('abort', leave, { once: true });
    await called.promise;
    signal.removeEventListener('abort', leave);
  };

  return {
    async take(signal, work) {
      signal.throwIfAborted();
      await turn(signal);
      try {
        return await work();
      } finally {
        const [next] = waiting;
        if (next === undefined) {
          working -= 1;
        } else {
          waiting.delete(next);
          next();
        }
      }
    },
  };
}
