import type { Logger } from 'pino';
import type { Engine, SandboxSpec } from '../engines/engine.ts';
import { BallastError } from '../protocol/index.ts';
import { newSessionId } from './credentials.ts';
import { dropOutfit, startOutfitted, type OutfittedSandbox } from './outfit.ts';
import { whenStopped } from './when-stopped.ts';

/** A learner who just came is served first; the next start waits this long. */
const refillPauseMs = 2000;
/** How long to wait before looking again whether a refill would disturb nobody. */
const busyPauseMs = 5000;

/** A sandbox that waits for a session. */
export interface PooledSandbox extends OutfittedSandbox {
  /** The name that it and its data volume carry. */
  readonly berth: string;
}

interface Waiting extends PooledSandbox {
  /** Of the store, when it was started. */
  readonly revision: number;
  readonly letGo: AbortController;
}

export interface SandboxPoolOptions {
  readonly engine: Engine;
  /** How many sandboxes wait; 0 for none. */
  readonly size: number;
  readonly startSeconds: number;
  specFor(berth: string): SandboxSpec;
  /** That of the store now: a sandbox that was started with fewer base images is of no use any more. */
  revision(): number;
  /** Whether a start now would slow nobody. */
  mayRefill(): boolean;
  readonly logger: Logger;
}

/** Sandboxes that are ready before anybody asks for one. */
export class SandboxPool {
  readonly #options: SandboxPoolOptions;
  readonly #waiting: Waiting[] = [];
  /** Berths that are being made or removed. */
  readonly #underWay = new Set<string>();
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #filling: Promise<void> | null = null;

  constructor(options: SandboxPoolOptions) {
    this.#options = options;
  }

  /** Sandboxes that could be claimed now. */
  get ready(): number {
    const revision = this.#options.revision();
    return this.#waiting.filter((sandbox) => sandbox.revision === revision).length;
  }

  /** Whether the things of that name are the pool's. */
  holds(berth: string): boolean {
    return this.#underWay.has(berth) || this.#waiting.some((sandbox) => sandbox.berth === berth);
  }

  /** Takes one out, for one session alone; null when there is none. A new one is made when that disturbs nobody. */
  claim(): PooledSandbox | null {
    this.#dropOld();
    const claimed = this.#waiting.shift() ?? null;
    claimed?.letGo.abort();
    this.refill();
    return claimed;
  }

  /** Fills up what is missing, in the background, one at a time. */
  refill(pauseMs = refillPauseMs): void {
    if (this.#stop.signal.aborted || this.#timer !== undefined || this.#filling !== null) return;
    this.#dropOld();
    if (this.#waiting.length >= this.#options.size) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (!this.#options.mayRefill()) {
        this.refill(busyPauseMs);
        return;
      }
      this.#filling = this.#add()
        .then(() => refillPauseMs)
        .catch((error: unknown) => {
          if (!this.#stop.signal.aborted) this.#options.logger.warn({ err: error }, 'the pool could not be filled');
          return busyPauseMs * 6;
        })
        .then((nextPauseMs) => {
          this.#filling = null;
          this.refill(nextPauseMs);
        });
    }, pauseMs);
    this.#timer.unref();
  }

  async #add(): Promise<void> {
    const { engine, startSeconds, logger } = this.#options;
    const berth = newSessionId();
    const revision = this.#options.revision();
    const { signal } = this.#stop;
    this.#underWay.add(berth);
    try {
      const started = performance.now();
      const sandbox = await startOutfitted(engine, this.#options.specFor(berth), {
        timeoutMs: startSeconds * 1000,
        signal,
      });
      if (signal.aborted) {
        await engine.removeSandbox(sandbox.id);
        signal.throwIfAborted();
      }
      this.#watch({ ...sandbox, berth, revision, letGo: new AbortController() });
      logger.info({ ms: Math.round(performance.now() - started) }, 'a sandbox waits in the pool');
    } finally {
      this.#underWay.delete(berth);
    }
  }

  /** Those that lack base images which have come since. */
  #dropOld(): void {
    const revision = this.#options.revision();
    for (const sandbox of this.#waiting.filter((waiting) => waiting.revision !== revision)) this.#drop(sandbox);
  }

  #drop(sandbox: Waiting): void {
    this.#waiting.splice(this.#waiting.indexOf(sandbox), 1);
    sandbox.letGo.abort();
    this.#remove(sandbox).catch((error: unknown) => {
      this.#options.logger.error({ err: error }, 'a sandbox of the pool could not be removed; the reaper tries again');
    });
  }

  /** One that dies while it waits is never given out. */
  #watch(sandbox: Waiting): void {
    const { engine, logger } = this.#options;
    this.#waiting.push(sandbox);
    const gone = (): void => {
      if (!this.#waiting.includes(sandbox)) return;
      logger.warn('a sandbox of the pool stopped by itself');
      this.#drop(sandbox);
      this.refill();
    };
    sandbox.unpacker.stdout.once('close', gone).resume();
    void whenStopped(engine, sandbox.id, { signal: sandbox.letGo.signal, logger }).then((stopped) => {
      if (stopped) gone();
    });
  }

  async #remove(sandbox: PooledSandbox): Promise<void> {
    const { berth, id } = sandbox;
    this.#underWay.add(berth);
    dropOutfit(sandbox);
    await this.#options.engine.removeSandbox(id).finally(() => this.#underWay.delete(berth));
  }

  /** Ends all that wait: they are nobody's. What cannot be removed now, the next server reaps. */
  async stop(): Promise<void> {
    this.#stop.abort(new BallastError('shutting_down'));
    clearTimeout(this.#timer);
    const waiting = this.#waiting.splice(0);
    for (const { letGo } of waiting) letGo.abort();
    await Promise.allSettled([this.#filling, ...waiting.map((sandbox) => this.#remove(sandbox))]);
  }
}
