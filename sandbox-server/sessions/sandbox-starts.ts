import type { Logger } from 'pino';
import type { Engine } from '../engines/engine.ts';
import type { BallastError } from '../protocol/index.ts';
import { isCommon, launchSandbox, type LaunchOptions, type SandboxSettings } from './launch-sandbox.ts';
import { dropOutfit, type OutfittedSandbox } from './outfit.ts';
import { outlastEngine } from './outlast-engine.ts';
import type { PooledSandbox, SandboxPool } from './sandbox-pool.ts';
import type { SavedFiles } from './saved-files.ts';
import type { Session } from './session.ts';
import { copyFiles, openUnpacker, packFolder } from './start-files.ts';

/** Starts from which the next one's duration is guessed. */
const rememberedStarts = 20;

export interface StartedSandbox {
  readonly sandboxId: string;
  /** It came from the pool. */
  readonly warm: boolean;
  readonly ms: number;
}

export interface SandboxStartsOptions {
  readonly engine: Engine;
  readonly settings: SandboxSettings;
  readonly pool: SandboxPool;
  readonly saved: SavedFiles;
  /** Starts that may go on at the same time; further ones wait. */
  readonly atOnce: number;
  /** Writes the session down. @throws BallastError disk_full */
  readonly save: (session: Session) => void;
  /** Lets the sandbox reach what its lab may reach. */
  readonly connect: (session: Session, sandboxId: string) => Promise<void>;
  readonly logger: Logger;
}

interface UnderWay {
  readonly abort: AbortController;
  readonly done: Promise<unknown>;
}

/** Gives sessions their sandboxes: from the pool, or by starting one. */
export class SandboxStarts {
  readonly #options: SandboxStartsOptions;
  /** Starts under way, so that an end can call them off. */
  readonly #underWay = new Map<string, UnderWay>();
  readonly #durations: number[] = [];
  readonly #turns: (() => void)[] = [];
  #running = 0;

  constructor(options: SandboxStartsOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#underWay.size;
  }

  /** Median of the last starts, in ms; null before the first. */
  get typicalMs(): number | null {
    return [...this.#durations].sort((a, b) => a - b)[this.#durations.length >> 1] ?? null;
  }

  has(session: Session): boolean {
    return this.#underWay.has(session.id);
  }

  /** Whether the session would get a sandbox from the pool. */
  isPooled(session: Pick<Session, 'lab'>): boolean {
    return this.#options.pool.ready > 0 && isCommon(session.lab, this.#options.settings);
  }

  /**
   * Gives the session a sandbox with files in its lab folder.
   * @throws BallastError sandbox_failed, disk_full, what the engine says, or why it was called off
   */
  begin(session: Session, options: LaunchOptions): Promise<StartedSandbox> {
    const abort = new AbortController();
    const run = async (): Promise<StartedSandbox> => {
      try {
        return await this.#start(session, options, abort.signal);
      } finally {
        this.#underWay.delete(session.id);
      }
    };
    const done = run();
    this.#underWay.set(session.id, { abort, done });
    return done;
  }

  /** Calls a start off; resolves when nothing is left of it. */
  async callOff(session: Session, why: BallastError): Promise<void> {
    const start = this.#underWay.get(session.id);
    start?.abort.abort(why);
    await start?.done.catch(() => undefined);
  }

  async callOffAll(why: BallastError): Promise<void> {
    const starts = [...this.#underWay.values()];
    for (const { abort } of starts) abort.abort(why);
    await Promise.allSettled(starts.map(({ done }) => done));
  }

  async #start(session: Session, options: LaunchOptions, signal: AbortSignal): Promise<StartedSandbox> {
    const { pool } = this.#options;
    const started = performance.now();
    const isNew = !options.keepData && options.replace === undefined;
    const claimed = isNew && this.isPooled(session) ? pool.claim() : null;
    let sandboxId: string;
    // The caller shall know of the start before it can fail.
    await Promise.resolve();
    if (claimed !== null) {
      await this.#claim(session, claimed, signal);
      sandboxId = claimed.id;
    } else {
      sandboxId = await this.#inTurn(signal, () => this.#cold(session, options, signal));
    }
    const ms = performance.now() - started;
    if (claimed === null) this.#durations.push(ms);
    if (this.#durations.length > rememberedStarts) this.#durations.shift();
    pool.refill();
    return { sandboxId, warm: claimed !== null, ms };
  }

  async #claim(session: Session, claimed: PooledSandbox, signal: AbortSignal): Promise<void> {
    const { engine, save } = this.#options;
    try {
      session.berth = claimed.berth;
      // Before the first of the learner's files is in it: after a crash it must be found as theirs.
      save(session);
      await this.#fitOut(session, claimed, signal);
    } catch (error) {
      dropOutfit(claimed);
      await engine.removeSandbox(claimed.id);
      throw error;
    }
  }

  #cold(session: Session, options: LaunchOptions, signal: AbortSignal): Promise<string> {
    const { engine, settings, logger } = this.#options;
    const fitOut = (sandbox: OutfittedSandbox): Promise<void> => this.#fitOut(session, sandbox, signal);
    const launch = (): Promise<string> => launchSandbox(engine, session, settings, { ...options, signal, fitOut });
    if (!options.keepData) return launch();
    // There is a learner's work: when the engine of the host is restarted, the sandbox comes back with it.
    const onWait = (error: BallastError): void => {
      logger.warn({ err: error, session: session.id }, 'waiting for the engine');
      session.become({ kind: 'starting', stage: 'Waiting for the Docker Engine of the workshop', progress: 0 });
    };
    return outlastEngine(engine, launch, { signal, onWait });
  }

  async #fitOut(session: Session, sandbox: OutfittedSandbox, signal: AbortSignal): Promise<void> {
    await Promise.all([this.#options.connect(session, sandbox.id), this.#giveFiles(session, sandbox, signal)]);
    session.spareView = sandbox.view;
  }

  /** The files that were kept when the last session ended; else those of the lab. */
  async #giveFiles(session: Session, sandbox: OutfittedSandbox, signal: AbortSignal): Promise<void> {
    const { engine, saved, logger } = this.#options;
    let { unpacker } = sandbox;
    const kept = saved.open(session);
    if (kept !== null) {
      try {
        await copyFiles(unpacker, kept, session.labDir, signal);
        session.restoredFiles = true;
        return;
      } catch (error) {
        signal.throwIfAborted();
        logger.error({ err: error, session: session.id }, 'kept files could not be given back');
        unpacker = await openUnpacker(engine, sandbox.id);
      }
    }
    await copyFiles(unpacker, packFolder(session.lab.startDir), session.labDir, signal);
  }

  /** Runs it when fewer than `atOnce` are running. */
  async #inTurn<Result>(signal: AbortSignal, task: () => Promise<Result>): Promise<Result> {
    if (this.#running >= this.#options.atOnce) {
      const turn = Promise.withResolvers<undefined>();
      const take = (): void => {
        turn.resolve(undefined);
      };
      this.#turns.push(take);
      signal.addEventListener('abort', take, { once: true });
      await turn.promise;
      signal.removeEventListener('abort', take);
      const at = this.#turns.indexOf(take);
      if (at !== -1) this.#turns.splice(at, 1);
      // One that is called off in its turn passes it on.
      if (signal.aborted && at === -1) this.#turns.shift()?.();
      signal.throwIfAborted();
    }
    this.#running += 1;
    try {
      return await task();
    } finally {
      this.#running -= 1;
      this.#turns.shift()?.();
    }
  }
}
