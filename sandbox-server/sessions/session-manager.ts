import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import type { Engine } from '../engines/engine.ts';
import type { Lab } from '../labs/index.ts';
import { BallastError, type ErrorBody } from '../protocol/index.ts';
import type { SessionRecord, SessionStore } from '../store/session-store.ts';
import { hashToken, newSessionId, newToken, tokenMatches } from './credentials.ts';
import { missingImages } from './lab-list.ts';
import { launchSandbox, type LaunchOptions } from './launch-sandbox.ts';
import type { BaseImage } from './list-images.ts';
import { reapLeftovers } from './reap-leftovers.ts';
import { Session } from './session.ts';
import { SessionTimers } from './session-timers.ts';
import { refreshTerminals } from './terminals.ts';
import { whenStopped } from './when-stopped.ts';

const minuteMs = 60_000;
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

/** Makes, finds, prolongs, resets and ends sessions, and keeps them in the database. */
export class SessionManager {
  readonly #options: SessionManagerOptions;
  readonly #sessions = new Map<string, Session>();
  readonly #timers: SessionTimers;
  /** Starts under way, so that an end can call them off. */
  readonly #starts = new Map<string, { readonly abort: AbortController; readonly done: Promise<void> }>();
  readonly #lastRevival = new WeakMap<Session, number>();
  #stopped = false;

  constructor(options: SessionManagerOptions) {
    this.#options = options;
    this.#timers = new SessionTimers({
      onEnd: (session) => {
        this.end(session, 'expired').catch((error: unknown) => {
          options.logger.error(
            { err: error },
            'a sandbox could not be removed; the next start of the server tries again',
          );
        });
      },
      onWarning: (session) => {
        const text = 'This sandbox ends in 5 minutes, with all that is in it. Extend it to go on.';
        session.publish({ type: 'notice', level: 'warning', text });
      },
    });
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
    this.#timers.set(session);
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

  /** Ends the session: its sandbox and all data in it go. Resolves when they have gone. */
  async end(session: Session, reason: string): Promise<void> {
    const { status } = session;
    if (status.kind === 'closed') return;
    const { store, logger } = this.#options;
    this.#sessions.delete(session.id);
    this.#timers.clear(session.id);
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
        this.#ready(session, record.sandboxId);
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

  get sessions(): Iterable<Session> {
    return this.#sessions.values();
  }

  /** Ends a session's sandbox for a reason; the session has failed and can be reset. Its data stays with `keepData`. */
  async halt(session: Session, why: BallastError, options: { readonly keepData: boolean }): Promise<void> {
    const { id } = session.use();
    this.#failed(session, why);
    await this.#options.engine.removeSandbox(id, options);
  }

  /** Lets go of all sessions without ending them; sandboxes go on running. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timers.clearAll();
    const why = new BallastError('shutting_down');
    for (const session of this.#sessions.values()) session.release(why);
    const starts = [...this.#starts.values()];
    for (const { abort } of starts) abort.abort(why);
    await Promise.all(starts.map(({ done }) => done));
  }

  #add(record: SessionRecord, lab: Lab): Session {
    const session = new Session(record, lab, this.#options.engine, this.#options.onWatched);
    this.#sessions.set(session.id, session);
    this.#timers.set(session);
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

  async #start(session: Session, options: LaunchOptions, signal: AbortSignal): Promise<void> {
    const { engine, config, prepared, hostId, logger } = this.#options;
    const started = performance.now();
    const { startSeconds, ...limits } = config.sandbox;
    const settings = { image: prepared.image, storeVolume: prepared.store.volume, hostId, limits, startSeconds };
    const sandboxId = await launchSandbox(engine, session, settings, { ...options, signal });
    this.#ready(session, sandboxId);
    this.#save(session);
    logger.info({ session: session.id, ms: Math.round(performance.now() - started) }, 'sandbox ready');
  }

  #ready(session: Session, sandboxId: string): void {
    session.become({ kind: 'ready', sandboxId });
    const { engine, logger } = this.#options;
    void whenStopped(engine, sandboxId, session.use().signal, logger).then((stopped) => {
      if (stopped) this.#revive(session);
    });
  }

  /**
   * Starts a sandbox that stopped by itself (killed from outside, out of memory) again around its files. One that
   * stops again soon after has failed.
   */
  #revive(session: Session): void {
    this.#options.logger.error({ session: session.id }, 'sandbox stopped by itself');
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

  #failed(session: Session, error: unknown): void {
    // Called off by an end or by the server's own stop: neither is a failure.
    if (this.#stopped || session.status.kind === 'closed') return;
    const known = error instanceof BallastError ? error : new BallastError('sandbox_failed', { cause: error });
    const failure: ErrorBody = known.toBody();
    this.#options.logger.error({ err: error, session: session.id }, 'sandbox failed');
    session.become({ kind: 'failed', failure }, known);
    this.#save(session);
  }

  /** Remove what is left of one session, or of all that are not ours any more. */
  async #reap(only?: string): Promise<void> {
    await reapLeftovers(this.#options.engine, this.#options.hostId, {
      keep: (id) => this.#sessions.has(id) || (only !== undefined && id !== only),
      logger: this.#options.logger,
    });
  }
}
