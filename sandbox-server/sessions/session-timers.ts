import type { Session } from './session.ts';

/** Learners are warned this long before the end. */
const warningMs = 5 * 60_000;
/** setTimeout takes no more. */
const longestTimerMs = 2 ** 31 - 1;

interface Timers {
  readonly end: NodeJS.Timeout;
  readonly warning: NodeJS.Timeout | undefined;
}

interface TimerHandlers {
  onEnd(session: Session): void;
  onWarning(session: Session): void;
}

/** Calls when a session's time is up, and some minutes before. */
export class SessionTimers {
  readonly #timers = new Map<string, Timers>();
  readonly #handlers: TimerHandlers;

  constructor(handlers: TimerHandlers) {
    this.#handlers = handlers;
  }

  /** Set them by the session's `expiresAt`, in place of those set before. */
  set(session: Session): void {
    this.clear(session.id);
    const left = session.expiresAt.getTime() - Date.now();
    const end = setTimeout(
      () => {
        // The wall clock may have been set back, or the end be further off than one timer reaches.
        if (session.expiresAt.getTime() > Date.now()) this.set(session);
        else this.#handlers.onEnd(session);
      },
      Math.min(Math.max(0, left), longestTimerMs),
    );
    let warning: NodeJS.Timeout | undefined;
    if (left > warningMs && left <= longestTimerMs) {
      warning = setTimeout(() => {
        this.#handlers.onWarning(session);
      }, left - warningMs);
    }
    end.unref();
    warning?.unref();
    this.#timers.set(session.id, { end, warning });
  }

  clear(id: string): void {
    const timers = this.#timers.get(id);
    clearTimeout(timers?.end);
    clearTimeout(timers?.warning);
    this.#timers.delete(id);
  }

  clearAll(): void {
    for (const id of [...this.#timers.keys()]) this.clear(id);
  }
}
