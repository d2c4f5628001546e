import type { Verdict } from './admission.ts';
import type { Session } from './session.ts';

/** Room can come from outside, when no session of ours ends: look this often. */
const lookMs = 2000;
/** Who neither listens nor asks for so long has gone home. */
const abandonedMs = 120_000;

interface WaitingLineOptions {
  /** Whether the session could have a sandbox now. */
  assess(session: Session): Verdict;
  estimate(position: number, verdict: Verdict): number | null;
  /** It is its turn. */
  promote(session: Session): void;
  /** Nobody waits for it any more. */
  abandon(session: Session): void;
}

/** Sessions that wait for a sandbox, first come, first served. Each hears where it stands. */
export class WaitingLine {
  readonly #options: WaitingLineOptions;
  #line: Session[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(options: WaitingLineOptions) {
    this.#options = options;
  }

  get length(): number {
    return this.#line.length;
  }

  /** At the end of the line. */
  add(session: Session): void {
    this.#line.push(session);
    this.#timer ??= setInterval(() => {
      this.advance();
    }, lookMs).unref();
    this.advance();
  }

  remove(session: Session): void {
    const before = this.#line.length;
    this.#line = this.#line.filter((other) => other !== session);
    if (this.#line.length !== before) this.advance();
  }

  /** Lets in who can be served, and tells the others where they stand. Call it whenever room may have come. */
  advance(): void {
    const now = Date.now();
    for (const session of [...this.#line]) {
      if (session.watched || now - session.activeAt < abandonedMs) continue;
      this.#line = this.#line.filter((other) => other !== session);
      this.#options.abandon(session);
    }
    for (let next = this.#line[0]; next !== undefined; next = this.#line[0]) {
      const verdict = this.#options.assess(next);
      if (verdict.kind !== 'admit') {
        this.#tell(verdict);
        return;
      }
      this.#line.shift();
      this.#options.promote(next);
    }
    this.stop();
  }

  #tell(verdict: Verdict): void {
    for (const [index, session] of this.#line.entries()) {
      const position = index + 1;
      const waitSeconds = this.#options.estimate(position, verdict);
      const { status } = session;
      // Seconds that only run down are no news.
      const known =
        status.kind === 'queued' &&
        status.position === position &&
        (status.waitSeconds === null) === (waitSeconds === null) &&
        Math.abs((status.waitSeconds ?? 0) - (waitSeconds ?? 0)) < 10;
      if (!known) session.become({ kind: 'queued', position, waitSeconds });
    }
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
