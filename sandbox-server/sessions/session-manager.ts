import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import type { Engine, SandboxSpec } from '../engines/engine.ts';
import type { Lab } from '../labs/index.ts';
import { BallastError, type ErrorBody } from '../protocol/index.ts';
import type { SessionRecord, SessionStore } from '../store/session-store.ts';
import { hashToken, newSessionId, newToken, tokenMatches } from './credentials.ts';
import { missingImages } from './lab-list.ts';
import type { BaseImage } from './list-images.ts';
import { reapLeftovers } from './reap-leftovers.ts';
import { Session } from './session.ts';
import { copyStartFiles } from './start-files.ts';
import { startSandbox } from './start-sandbox.ts';
import { refreshTerminals } from './terminals.ts';

/** Learners are warned this long before the end. */
const warningMs = 5 * 60_000;
const minuteMs = 60_000;
/** setTimeout takes no more. */
const longestTimerMs = 2 ** 31 - 1;

export interface SessionManagerOptions {
  readonly config: Config;
  readonly engine: Engine;
  readonly store: SessionStore;
  readonly prepared: {
    readonly image: string;
    readonly store: { readonly volume: string; readonly images: readonly BaseImage[] };
  };
  readonly labs: ReadonlyMap<string, Lab>;
  readonly hostId: string;
  readonly logger: Logger;
  /** Called when a session's sandbox is there and somebody watches it. */
  readonly onWatched: (session: Session) => void;
}

/** A sandbox that stops again within this is not started a third time. */
const revivalPauseMs = 60_000;

interface LaunchOptions {
  /** The data volume holds a learner's work: it must outlive a start that fails. */
  readonly keepData: boolean;
  /** Sandbox that must go first. */
  readonly replace?: string;
}

interface Timers {
  end: NodeJS.Timeout;
  warning: NodeJS.Timeout | undefined;
}

/** Makes, finds, prolongs, resets and ends sessions, and keeps them in the database. */
export class SessionManager {
  readonly #options: SessionManagerOptions;
  readonly #sessions = new Map<string, Session>();
  readonly #timers = new Map<string, Timers>();
  /** Starts under way, so that an end can call them off. */
  readonly #starts = new Map<string, { readonly abort: AbortController; readonly done: Promise<void> }>();
  readonly #lastRevival = new WeakMap<Session, number>();
  #stopped = false;

  constructor(options: SessionManagerOptions) {
    this.#options = options;
  }

  /** Sessions that hold a sandbox or are getting one. */
  get active(): number {
    return [...this.#sessions.values()].filter((session) => session.status.kind !== 'failed').length;
  }

  /**
   * A new session of a lab. Its sandbox is started in the background: its status says how that goes.
   * @throws BallastError lab_not_found, images_missing, capacity, shutting_down
   */
  create(labId: string): { readonly session: Session; readonly token: string } {
    if (this.#stopped) throw new BallastError('shutting_down');
    const { labs, prepared, config, store, logger } = this.#options;
    const lab = labs.get(labId);
    if (lab === undefined) throw new BallastError('lab_not_found');
    const missing = missingImages(lab, prepared.store.images);
    if (missing.length > 0) {
      throw new BallastError('images_missing', {
        message: `These base images are not here yet: ${missing.join(', ')}.`,
      });
    }
    if (this.active >= config.session.max) throw new BallastError('capacity');
    const token = newToken();
    const now = Date.now();
    const record: SessionRecord = {
      id: newSessionId(),
      tokenHash: hashToken(token),
      lab: lab.id,
      sandboxId: null,
      state: 'starting',
      failure: null,
      createdAt: new Date(now),
      expiresAt: new Date(now + config.session.minutes * minuteMs),
    };
    store.save(record);
    const session = this.#add(record, lab);
    logger.info({ session: session.id, lab: lab.id }, 'session created');
    this.#launch(session, { keepData: false });
    return { session, token };
  }

  /** @throws BallastError session_not_found, or unauthorized when the token is not that session's */
  authenticate(id: string, token: string): Session {
    const session = this.#sessions.get(id);
    if (session === undefined) throw new BallastError('session_not_found');
    if (!tokenMatches(token, session.tokenHash)) throw new BallastError('unauthorized');
    return session;
  }

  /** A whole new life from now on, within the longest that the configuration allows. */
  extend(session: Session): void {
    const { minutes, maxMinutes } = this.#options.config.session;
    const latest = session.createdAt.getTime() + Math.max(minutes, maxMinutes) * minuteMs;
    const wanted = Math.min(Date.now() + minutes * minuteMs, latest);
    session.expiresAt = new Date(Math.max(session.expiresAt.getTime(), wanted));
    this.#save(session);
    this.#setTimers(session);
    session.announce();
  }

  /**
   * A new sandbox for the session; its terminals and running programs end.
   * @param files `keep`: around the same files, images and history; `restore`: with the lab's own files again
   * @throws BallastError session_not_ready while one is being started
   */
  reset(session: Session, files: 'keep' | 'restore'): void {
    const { status } = session;
    if (this.#starts.has(session.id) || status.kind === 'starting') throw new BallastError('session_not_ready');
    session.become({ kind: 'starting', stage: 'Restarting the sandbox', progress: 0 });
    this.#save(session);
    this.#options.logger.info({ session: session.id, files }, 'session reset');
    const keepData = files === 'keep';
    this.#launch(session, { keepData, ...(status.kind === 'ready' ? { replace: status.sandboxId } : {}) });
  }

  /**
   * Looks whether a session's sandbox still runs. One that stopped (killed from outside, out of memory) is started
   * again around its files; one that stops again soon after has failed.
   */
  async checkAlive(session: Session): Promise<void> {
    const { engine, logger } = this.#options;
    const { status } = session;
    if (status.kind !== 'ready') return;
    const record = await engine.inspectSandbox(status.sandboxId).catch(() => undefined);
    // No answer says nothing of the sandbox; and a reset may have come first.
    if (record === undefined || record?.running === true || session.status !== status || this.#stopped) return;
    logger.error({ session: session.id }, 'sandbox stopped by itself');
    if (performance.now() - (this.#lastRevival.get(session) ?? -Infinity) < revivalPauseMs) {
      const message = 'The sandbox stopped by itself, twice within a minute.';
      this.#failed(session, new BallastError('sandbox_failed', { message, hint: 'Start a new one.' }));
      return;
    }
    this.#lastRevival.set(session, performance.now());
    this.reset(session, 'keep');
    const text = 'The sandbox had stopped and is being started again. Your files are kept; running programs are not.';
    session.publish({ type: 'notice', level: 'warning', text });
  }

  /** Ends the session: its sandbox and all data in it go. Resolves when they have gone. */
  async end(session: Session, reason: string): Promise<void> {
    const { status } = session;
    if (status.kind === 'closed') return;
    const { store, logger } = this.#options;
    this.#sessions.delete(session.id);
    this.#clearTimers(session.id);
    store.remove(session.id);
    session.become({ kind: 'closed' }, new BallastError('session_not_found'));
    logger.info({ session: session.id, reason }, 'session ended');
    const start = this.#starts.get(session.id);
    start?.abort.abort(new BallastError('session_not_found'));
    await start?.done;
    await this.#reap(session.id);
  }

  /**
   * Goes on where a server before this one stopped: sessions whose sandbox runs are taken up, starts that were cut
   * off begin again, what nobody owns any more is removed. Call once, before listening.
   */
  async resume(): Promise<void> {
    const { engine, store, labs, hostId, logger } = this.#options;
    const running = new Map(
      (await engine.listSandboxes({ 'ballast.host': hostId, 'ballast.kind': 'sandbox' }))
        .filter((sandbox) => sandbox.running)
        .map((sandbox) => [sandbox.session, sandbox]),
    );
    for (const record of store.list()) {
      const lab = labs.get(record.lab);
      const lost = record.state === 'ready' && running.get(record.id)?.id !== record.sandboxId;
      if (lab === undefined || lost || record.expiresAt.getTime() <= Date.now()) {
        store.remove(record.id);
        logger.info({ session: record.id }, 'session could not be taken up');
        continue;
      }
      const session = this.#add(record, lab);
      if (record.state === 'ready' && record.sandboxId !== null) {
        session.become({ kind: 'ready', sandboxId: record.sandboxId });
        await refreshTerminals(session).catch((error: unknown) => {
          logger.warn({ err: error, session: session.id }, 'terminals not listed');
        });
        logger.info({ session: session.id }, 'session taken up');
      } else if (record.state === 'starting') {
        const half = running.get(record.id);
        // It may have been a reset that was cut off: what is there may be the learner's work.
        this.#launch(session, { keepData: true, ...(half === undefined ? {} : { replace: half.id }) });
      }
    }
    await this.#reap();
  }

  /** Lets go of all sessions without ending them; sandboxes go on running. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const id of this.#timers.keys()) this.#clearTimers(id);
    const why = new BallastError('shutting_down');
    for (const session of this.#sessions.values()) session.release(why);
    const starts = [...this.#starts.values()];
    for (const { abort } of starts) abort.abort(why);
    await Promise.all(starts.map(({ done }) => done));
  }

  #add(record: SessionRecord, lab: Lab): Session {
    const session = new Session(record, lab, this.#options.engine, this.#options.onWatched);
    this.#sessions.set(session.id, session);
    this.#setTimers(session);
    return session;
  }

  #save(session: Session): void {
    if (!this.#stopped && session.status.kind !== 'closed') this.#options.store.save(session.record());
  }

  /** Start a sandbox in the background. */
  #launch(session: Session, options: LaunchOptions): void {
    const abort = new AbortController();
    const done = this.#start(session, options, abort.signal)
      .catch((error: unknown) => {
        this.#failed(session, error);
      })
      .finally(() => {
        this.#starts.delete(session.id);
      });
    this.#starts.set(session.id, { abort, done });
  }

  async #start(session: Session, { keepData, replace }: LaunchOptions, signal: AbortSignal): Promise<void> {
    const { engine, config, logger } = this.#options;
    const started = performance.now();
    if (replace !== undefined) await engine.removeSandbox(replace, { keepData });
    signal.throwIfAborted();
    const { id } = await startSandbox(engine, this.#specFor(session), {
      timeoutMs: config.sandbox.startSeconds * 1000,
      keepData,
      signal,
      onStage: ({ text, fraction }) => {
        if (signal.aborted) return;
        // The files still have to be copied: only then is it all done.
        const progress = Math.min(0.95, Math.max(0, fraction ?? 0));
        session.become({ kind: 'starting', stage: text, progress });
      },
    });
    try {
      await copyStartFiles(engine, id, session.lab.startDir, session.labDir, signal);
      signal.throwIfAborted();
    } catch (error) {
      await engine.removeSandbox(id, { keepData });
      throw error;
    }
    session.become({ kind: 'ready', sandboxId: id });
    this.#save(session);
    logger.info({ session: session.id, ms: Math.round(performance.now() - started) }, 'sandbox ready');
  }

  #failed(session: Session, error: unknown): void {
    // Called off by an end or by the server's own stop: neither is a failure.
    if (this.#stopped || session.status.kind === 'closed') return;
    const known = error instanceof BallastError ? error : new BallastError('sandbox_failed', { cause: error });
    const failure: ErrorBody = known.toBody();
    this.#options.logger.error({ err: error, session: session.id }, 'sandbox failed');
    session.become({ kind: 'failed', failure }, known);
    this.#save(session);
  }

  #specFor(session: Session): SandboxSpec {
    const { config, prepared, hostId } = this.#options;
    const { limits } = session.lab;
    return {
      session: session.id,
      kind: 'sandbox',
      host: hostId,
      image: prepared.image,
      storeVolume: prepared.store.volume,
      limits: {
        memoryBytes: limits.memory ?? config.sandbox.memoryBytes,
        cpus: limits.cpus ?? config.sandbox.cpus,
        pids: limits.pids ?? config.sandbox.pids,
      },
      network: 'none',
      hostname: session.lab.id.slice(0, 63),
      env: {},
    };
  }

  #setTimers(session: Session): void {
    this.#clearTimers(session.id);
    const left = session.expiresAt.getTime() - Date.now();
    const end = setTimeout(
      () => {
        if (session.expiresAt.getTime() > Date.now() + 50) this.#setTimers(session);
        else void this.end(session, 'expired').catch(this.#logReapFailure);
      },
      Math.min(Math.max(0, left), longestTimerMs),
    );
    let warning: NodeJS.Timeout | undefined;
    if (left > warningMs && left <= longestTimerMs) {
      warning = setTimeout(() => {
        const text = 'This sandbox ends in 5 minutes, with all that is in it. Extend it to go on.';
        session.publish({ type: 'notice', level: 'warning', text });
      }, left - warningMs);
    }
    end.unref();
    warning?.unref();
    this.#timers.set(session.id, { end, warning });
  }

  #clearTimers(id: string): void {
    const timers = this.#timers.get(id);
    clearTimeout(timers?.end);
    clearTimeout(timers?.warning);
    this.#timers.delete(id);
  }

  readonly #logReapFailure = (error: unknown): void => {
    this.#options.logger.error(
      { err: error },
      'a sandbox could not be removed; the next start of the server tries again',
    );
  };

  /** Remove what is left of one session, or of all that are not ours any more. */
  async #reap(only?: string): Promise<void> {
    await reapLeftovers(this.#options.engine, this.#options.hostId, {
      keep: (id) => this.#sessions.has(id) || (only !== undefined && id !== only),
      logger: this.#options.logger,
    });
  }
}
