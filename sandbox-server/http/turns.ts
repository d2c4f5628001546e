import { BallastError } from '../protocol/index.ts';

/** A place among those that work or wait, from when it is taken to when it is disposed of. */
export interface Place extends Disposable {
  /** Resolves when it is one's turn. Rejects with the reason of `signal` while waiting. */
  turn(signal: AbortSignal): Promise<void>;
}

/** Lets so many work at a time, and so many wait. */
export interface Turns {
  /**
   * Take a place, before anything is made ready for the work: who finds none has cost nothing.
   * @throws BallastError capacity when too many work and wait already
   */
  enter(): Place;
}

export function createTurns(most: number, mostWaiting: number): Turns {
  let inside = 0;
  let working = 0;
  const waiting = new Set<() => void>();

  return {
    enter() {
      if (inside >= most + mostWaiting) {
        throw new BallastError('capacity', {
          message: 'Too many submissions wait to be graded.',
          hint: 'Try again in a few minutes.',
        });
      }
      inside += 1;
      let mine = false;
      return {
        async turn(signal) {
          signal.throwIfAborted();
          if (working < most) {
            working += 1;
            mine = true;
            return;
          }
          const called = Promise.withResolvers<undefined>();
          const call = (): void => {
            mine = true;
            called.resolve(undefined);
          };
          const leave = (): void => {
            waiting.delete(call);
            called.reject(signal.reason);
          };
          waiting.add(call);
          signal.addEventListener('abort', leave, { once: true });
          try {
            await called.promise;
          } finally {
            signal.removeEventListener('abort', leave);
          }
        },
        [Symbol.dispose]() {
          inside -= 1;
          if (!mine) return;
          const [next] = waiting;
          if (next === undefined) {
            working -= 1;
          } else {
            waiting.delete(next);
            next();
          }
        },
      };
    },
  };
}
