import type { Config } from '../config.ts';
import { assess, estimateWait, measureHost, type HostRoom, type Verdict } from './admission.ts';
import type { SandboxStarts } from './sandbox-starts.ts';
import type { SessionBook } from './session-book.ts';
import { isLive } from './session-status.ts';
import type { Session } from './session.ts';

export interface AdmissionDeskOptions {
  readonly config: Pick<Config, 'session' | 'admission' | 'disk' | 'pool'>;
  readonly book: SessionBook;
  readonly starts: SandboxStarts;
  /** The engine's own folder, on the disk that sandboxes fill. */
  readonly dataDir: string;
}

/** Judges who can have a sandbox now, from what the machine has to give and what goes on in this server. */
export class AdmissionDesk {
  readonly #options: AdmissionDeskOptions;

  constructor(options: AdmissionDeskOptions) {
    this.#options = options;
  }

  verdictFor(session: Pick<Session, 'lab'>): Verdict {
    const verdict = this.#assess(this.#room());
    // One that waits in the pool needs no start.
    const noStart =
      verdict.kind === 'wait' && verdict.for !== 'a session to end' && this.#options.starts.isPooled(session);
    return noStart ? { kind: 'admit' } : verdict;
  }

  /** Whether a start that nobody waits for would slow nobody. */
  mayRefillPool(): boolean {
    const room = this.#room();
    const { starts, config } = this.#options;
    if (starts.count > 0 || room.loadPerCore > config.pool.maxLoadPerCore) return false;
    return this.#assess(room).kind === 'admit';
  }

  /** Seconds until the one at that position has a sandbox, at the longest; null when nothing tells. */
  estimate(position: number, verdict: Verdict): number | null {
    const { book, starts } = this.#options;
    const endings = [...book.all].filter(({ status }) => isLive(status)).map(({ expiresAt }) => expiresAt.getTime());
    const { cores } = measureHost(null);
    return estimateWait(position, verdict, { endings, startMs: starts.typicalMs, cores, now: Date.now() });
  }

  #room(): HostRoom {
    return measureHost(this.#options.dataDir);
  }

  #assess(room: HostRoom): Verdict {
    const { config, book, starts } = this.#options;
    const { session, admission, disk } = config;
    const demand = { active: book.active, starting: starts.count };
    return assess(room, demand, { ...admission, maxSessions: session.max, diskReserveBytes: disk.reserveBytes });
  }
}
