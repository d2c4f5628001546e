import type { Session } from './session.ts';

/** Learners are warned this long before the end, or a quarter of the life when that is less. */
const warningMs = 5 * 60_000;
/** After this without a sign of life a session counts as idle, or half of the idle limit when that is less. */
const quietMs = 5 * 60_000;
/** setTimeout takes no more. */
const longestTimerMs = 2 ** 31 - 1;

export interface ClockLimits {
  /** How long a session may be left alone. */
  readonly idleMs: number;
  /** Its whole life. */
  readonly lifeMs: number;
}

/** How a live session stands by the clock, until `nextAt`. All times in ms since 1970. */
export interface Standing {
  readonly phase: 'ready' | 'idle' | 'expiring' | 'over';
  /** What ends it. */
  readonly reason: 'time' | 'idle';
  readonly endsAt: number;
  readonly nextAt: number;
}

/**
 * How a session stands by the clock.
 * @param times when its time is up, and when somebody last did something in it
 */
export function standing(
  times: { readonly expiresAt: number; readonly activeAt: number; readonly now: number },
  { idleMs, lifeMs }: ClockLimits,
): Standing {
  const idleEnd = times.activeAt + idleMs;
  const endsAt = Math.min(times.expiresAt, idleEnd);
  const reason = idleEnd < times.expiresAt ? 'idle' : 'time';
  const warnAt = endsAt - Math.min(warningMs, idleMs / 4, lifeMs / 4);
  const idleAt = times.activeAt + Math.min(quietMs, idleMs / 2);
  if (times.now >= endsAt) return { phase: 'over', reason, endsAt, nextAt: endsAt };
  if (times.now >= warnAt) return { phase: 'expiring', reason, endsAt, nextAt: endsAt };
  if (times.now >= idleAt) return { phase: 'idle', reason, endsAt, nextAt: warnAt };
  return { phase: 'ready', reason, endsAt, nextAt: Math.min(warnAt, idleAt) };
}

interface ClockHandlers {
  /** Something runs in it that nobody watches, such as a build. Asked before a session is thought idle. */
  isBusy(session: Session): Promise<boolean>;
  onPhase(session: Session, standing: Standing): void;
}

/** Follows the time of all sessions; says when one has become idle, will end soon, is over. */
export class SessionClock {
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #limits: ClockLimits;
  readonly #handlers: ClockHandlers;

  constructor(limits: ClockLimits, handlers: ClockHandlers) {
    this.#limits = limits;
    this.#handlers = handlers;
  }

  /** Look at the session now, and again whenever its standing may have changed. */
  set(session: Session): void {
    this.clear(session.id);
    const now = Date.now();
    const times = { expiresAt: session.expiresAt.getTime(), activeAt: session.activeAt, now };
    const current = standing(times, this.#limits);
    this.#handlers.onPhase(session, current);
    if (current.phase === 'over' || session.status.kind === 'closed') return;
    const timer = setTimeout(
      () => {
        void this.#look(session, timer);
      },
      Math.min(current.nextAt - now, longestTimerMs),
    );
    timer.unref();
    this.#timers.set(session.id, timer);
  }

  async #look(session: Session, timer: NodeJS.Timeout): Promise<void> {
    const before = session.activeAt;
    const busy = await this.#handlers.isBusy(session);
    // Cleared, or set anew, while it was asked.
    if (this.#timers.get(session.id) !== timer) return;
    if (busy) session.activeAt = Math.max(before, Date.now());
    this.set(session);
  }

  clear(id: string): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
  }

  clearAll(): void {
    for (const id of [...this.#timers.keys()]) this.clear(id);
  }
}
