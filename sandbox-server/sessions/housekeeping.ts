import type { Logger } from 'pino';
import type { Engine } from '../engines/engine.ts';
import { reapEnded } from './reap-ended.ts';
import { reapLeftovers } from './reap-leftovers.ts';

/** How often what nobody owns is looked for. */
const reapEveryMs = 5 * 60_000;
/** How often a session that could not be written down is tried again. */
const saveAgainMs = 10_000;

export interface HousekeepingOptions {
  readonly engine: Engine;
  readonly hostId: string;
  readonly logger: Logger;
  /** Whether the sandbox or data of that name is somebody's. */
  owns(berth: string): boolean;
  /** Removes kept files whose time is over. */
  tidy(): Promise<void>;
  /** Writes down what could not be written before. */
  saveAgain(): void;
}

/** Removes what nobody owns, at the start and from time to time. */
export class Housekeeping {
  readonly #options: HousekeepingOptions;
  readonly #timers: NodeJS.Timeout[] = [];
  #stopped = false;

  constructor(options: HousekeepingOptions) {
    this.#options = options;
  }

  /** Clears up once, then on a timer. @throws BallastError when the engine refuses */
  async start(): Promise<void> {
    await this.#clearUp();
    const clearUp = (): void => {
      this.#clearUp().catch((error: unknown) => {
        this.failed(error);
      });
    };
    this.#timers.push(
      setInterval(clearUp, reapEveryMs).unref(),
      setInterval(() => {
        this.#options.saveAgain();
      }, saveAgainMs).unref(),
    );
  }

  /** Removes what is left of one berth, whoever owned it. @throws BallastError when the engine refuses */
  async reapBerth(berth: string): Promise<void> {
    const { engine, hostId, logger } = this.#options;
    await reapLeftovers(engine, hostId, { keep: () => false, only: berth, logger });
  }

  /** Notes that something could not be removed: the next round tries again. */
  failed(error: unknown): void {
    if (!this.#stopped) this.#options.logger.error({ err: error }, 'something could not be removed; it is tried again');
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) clearInterval(timer);
  }

  async #clearUp(): Promise<void> {
    const { engine, hostId, logger } = this.#options;
    await reapLeftovers(engine, hostId, { keep: (berth) => this.#options.owns(berth), logger });
    await reapEnded(engine, hostId);
    await this.#options.tidy();
  }
}
