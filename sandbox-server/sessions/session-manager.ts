import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import type { Engine } from '../engines/engine.ts';
import type { Gateway } from '../gateway/index.ts';
import type { Lab } from '../labs/index.ts';
import type { SandboxShell } from '../checks/index.ts';
import type { ImageReader } from '../images/image-reader.ts';
import { BallastError, type ErrorBody } from '../protocol/index.ts';
import type { SavedFilesStore } from '../store/saved-files-store.ts';
import type { SessionRecord, SessionStore } from '../store/session-store.ts';
import { AdmissionDesk } from './admission-desk.ts';
import { measureHost, startsAtOnce } from './admission.ts';
import { connectToPackages } from './connect-to-packages.ts';
import { hashToken, newSessionId, newToken } from './credentials.ts';
import { hasRunningBuild } from './has-running-build.ts';
import { Housekeeping } from './housekeeping.ts';
import { removeOldSandboxImages } from '../setup/old-sandbox-images.ts';
import { removeUnusedStores } from '../setup/unused-stores.ts';
import { requireImages } from './lab-list.ts';
import { commonSpec, type LaunchOptions } from './launch-sandbox.ts';
import type { BaseImageStore } from './list-images.ts';
import { SandboxPool } from './sandbox-pool.ts';
import { SandboxStarts } from './sandbox-starts.ts';
import { SavedFiles } from './saved-files.ts';
import { SessionBook } from './session-book.ts';
import { SessionClock, type Standing } from './session-clock.ts';
import { isLive } from './session-status.ts';
import { Session } from './session.ts';
import { takeUpSessions } from './take-up-sessions.ts';
import { WaitingLine } from './waiting-line.ts';
import { whenStopped } from './when-stopped.ts';
import { endingNotice, engineEnded, farewell } from './words.ts';

const minuteMs = 60_000;
/** A sandbox that stops by itself more often than `mostRevivals` within this is not started again. */
const revivalPeriodMs = 60_000;
/** One is too few: while the engine of the host goes down, it may stop the sandbox that has just been started again. */
const mostRevivals = 2;

export interface SessionManagerOptions {
  readonly config: Config;
  readonly engine: Engine;
  /** The way out, for labs that have one. */
  readonly gateway: Gateway;
  readonly store: SessionStore;
  readonly savedFiles: { readonly store: SavedFilesStore; readonly folder: string };
  readonly prepared: {
    readonly image: string;
    readonly store: BaseImageStore;
  };
  readonly labs: ReadonlyMap<string, Lab>;
  readonly hostId: string;
  /** The engine's own folder, on the disk that sandboxes fill. */
  readonly dataDir: string;
  readonly logger: Logger;
  /** Called when a session's sandbox is there and somebody watches it. */
  readonly onWatched: (session: Session) => void;
  /** A reader of the images in a sandbox. */
  readonly openImages: (shell: SandboxShell) => ImageReader;
  /** A session has got its sandbox. */
  readonly onStarted: (start: { readonly warm: boolean; readonly ms: number }) => void;
}

/** Makes, finds, prolongs, resets and ends sessions, and keeps them in the database. */
export class SessionManager {
  readonly #options: SessionManagerOptions;
  readonly #book: SessionBook;
  readonly #desk: AdmissionDesk;
  readonly #clock: SessionClock;
  readonly #line: WaitingLine;
  readonly #starts: SandboxStarts;
  readonly #pool: SandboxPool;
  readonly #saved: SavedFiles;
  readonly #housekeeping: Housekeeping;
  readonly #ending = new WeakSet<Session>();
  readonly #revivals = new WeakMap<Session, readonly number[]>();
  #stopped = false;

  constructor(options: SessionManagerOptions) {
    this.#options = options;
    const { config, engine, prepared, hostId, logger, savedFiles } = options;
    const { startSeconds, ...limits } = config.sandbox;
    const settings = { image: prepared.image, storeVolume: prepared.store.volume, hostId, limits, startSeconds };
    this.#book = new SessionBook(options.store, logger);
    this.#clock = new SessionClock(
      { idleMs: config.session.idleMinutes * minuteMs, lifeMs: config.session.minutes * minuteMs },
      {
        isBusy: (session) => hasRunningBuild(session),
        onPhase: (session, standing) => {
          this.#onPhase(session, standing);
        },
      },
    );
    this.#saved = new SavedFiles({
      ...savedFiles,
      maxBytes: config.session.keptBytes,
      days: config.session.keptDays,
      logger,
    });
    this.#housekeeping = new Housekeeping({
      engine,
      hostId,
      logger,
      owns: (berth) => this.#pool.holds(berth) || this.#book.hasBerth(berth),
      tidy: async () => {
        await this.#saved.tidy();
        await removeUnusedStores(engine, { host: hostId, home: config.home, current: prepared.store.volume });
        await removeOldSandboxImages(engine, { current: prepared.image });
      },
      saveAgain: () => {
        this.#book.saveAgain();
      },
    });
    this.#pool = new SandboxPool({
      engine,
      size: config.pool.size,
      startSeconds,
      specFor: (berth) => commonSpec(berth, settings),
      revision: () => prepared.store.revision,
      mayRefill: () => this.#line.length === 0 && this.#desk.mayRefillPool(),
      logger,
    });
    this.#starts = new SandboxStarts({
      engine,
      settings,
      pool: this.#pool,
      saved: this.#saved,
      atOnce: startsAtOnce(measureHost(null).cores),
      save: (session) => {
        this.#book.write(session.record());
      },
      connect: (session, sandboxId) => connectToPackages(options.gateway, engine, session, sandboxId),
      logger,
    });
    this.#desk = new AdmissionDesk({ config, book: this.#book, starts: this.#starts, dataDir: options.dataDir });
    this.#line = new WaitingLine({
      assess: (session) => this.#desk.verdictFor(session),
      estimate: (position, verdict) => this.#desk.estimate(position, verdict),
      promote: (session) => {
        this.#begin(session);
      },
      abandon: (session) => {
        void this.end(session, 'nobody waited for it').catch((error: unknown) => {
          this.#housekeeping.failed(error);
        });
      },
    });
  }

  /** Sessions that hold a sandbox or are getting one. */
  get active(): number {
    return this.#book.active;
  }

  get sessions(): Iterable<Session> {
    return this.#book.all;
  }

  /** Sandboxes that wait in the pool. */
  get pooled(): number {
    return this.#pool.ready;
  }

  /**
   * A new session of a lab. Its sandbox is started in the background, at once or when its turn comes: its status says
   * how that goes.
   * @param owner secret of the browser that asks, if one does: files that were kept for it come back
   * @throws BallastError lab_not_found, images_missing, capacity, disk_full, shutting_down
   */
  create(labId: string, owner: string | null = null): { readonly session: Session; readonly token: string } {
    if (this.#stopped) throw new BallastError('shutting_down');
    const { labs, prepared, config, logger } = this.#options;
    const lab = labs.get(labId);
    if (lab === undefined) throw new BallastError('lab_not_found');
    requireImages(lab, prepared.store.images);
    const verdict = this.#desk.verdictFor({ lab });
    if (verdict.kind === 'refuse') throw new BallastError('capacity', { message: verdict.reason });
    const waits = verdict.kind === 'wait' || this.#line.length > 0;
    if (waits && this.#line.length >= config.session.queue) throw new BallastError('capacity');
    const token = newToken();
    const now = new Date();
    const id = newSessionId();
    const record: SessionRecord = {
      id,
      tokenHash: hashToken(token),
      ownerHash: owner === null ? null : hashToken(owner),
      lab: lab.id,
      berth: id,
      sandboxId: null,
      state: waits ? 'queued' : 'starting',
      failure: null,
      createdAt: now,
      startedAt: now,
      expiresAt: new Date(now.getTime() + config.session.minutes * minuteMs),
    };
    this.#book.write(record);
    const session = this.#add(record, lab);
    logger.info({ session: session.id, lab: lab.id, queued: waits }, 'session created');
    if (waits) this.#line.add(session);
    else this.#begin(session);
    return { session, token };
  }

  /** @throws BallastError session_not_found, or unauthorized when the token is not that session's */
  authenticate(id: string, token: string): Session {
    const session = this.#book.authenticate(id, token);
    session.touch();
    return session;
  }

  /** A whole new life from now on, within the longest that the configuration allows. */
  extend(session: Session): void {
    const { minutes, maxMinutes } = this.#options.config.session;
    const latest = session.startedAt.getTime() + Math.max(minutes, maxMinutes) * minuteMs;
    const wanted = Math.min(Date.now() + minutes * minuteMs, latest);
    session.expiresAt = new Date(Math.max(session.expiresAt.getTime(), wanted));
    session.touch();
    this.#book.save(session);
    this.#setClock(session);
    session.announce();
  }

  /**
   * A new sandbox for the session; its terminals and running programs end.
   * @param files `keep`: around the same files, images and history; `restore`: with the lab's own files again
   * @throws BallastError session_not_ready while one is being started
   */
  reset(session: Session, files: 'keep' | 'restore'): void {
    const { status } = session;
    if (this.#starts.has(session) || !(isLive(status) || status.kind === 'failed'))
      throw new BallastError('session_not_ready');
    session.become({ kind: 'starting', stage: 'Restarting the sandbox', progress: 0 });
    this.#book.save(session);
    this.#options.logger.info({ session: session.id, files }, 'session reset');
    const keepData = files === 'keep';
    const replace = isLive(status) ? { replace: status.sandboxId } : {};
    if (keepData) {
      this.#launch(session, { keepData, ...replace });
      return;
    }
    session.restoredFiles = false;
    void this.#forgetFiles(session).then(() => {
      if (!this.#stopped && session.status.kind === 'starting') this.#launch(session, { keepData, ...replace });
    });
  }

  /**
   * Ends the session at its learner's wish: its sandbox and all data in it go, and what was kept for it. Who only
   * leaves the queue, or had no luck with the start, has not seen their kept files yet: those stay.
   */
  async discard(session: Session): Promise<void> {
    if (isLive(session.status)) await this.#forgetFiles(session);
    await this.end(session, 'asked to');
  }

  /**
   * Ends the session: its sandbox and all data in it go. Resolves when they have gone.
   * @param words told to the learner
   * @throws BallastError when the engine refuses
   */
  async end(session: Session, reason: string, words = ''): Promise<void> {
    if (session.status.kind === 'closed') return;
    this.#clock.clear(session.id);
    session.become({ kind: 'closed', farewell: words }, new BallastError('session_not_found'));
    this.#line.remove(session);
    this.#book.strike(session);
    this.#options.logger.info({ session: session.id, reason }, 'session ended');
    await this.#starts.callOff(session, new BallastError('session_not_found'));
    // Until now its berth was its own: the reaper must not come before us.
    this.#book.forget(session);
    await this.#housekeeping.reapBerth(session.berth);
    if (!this.#stopped) this.#line.advance();
  }

  /**
   * Goes on where a server before this one stopped: sessions whose sandbox runs are taken up, those whose sandbox has
   * stopped get a new one around their files, starts that were cut off begin again, what nobody owns is removed.
   * Call once, before listening.
   */
  async resume(): Promise<void> {
    const { engine, labs, hostId, logger } = this.#options;
    await takeUpSessions({
      engine,
      book: this.#book,
      labs,
      hostId,
      logger,
      add: (record, lab) => this.#add(record, lab),
      queue: (session) => {
        this.#line.add(session);
      },
      ready: (session, sandboxId) => {
        this.#ready(session, sandboxId);
        connectToPackages(this.#options.gateway, engine, session, sandboxId).catch((error: unknown) => {
          logger.warn({ err: error, session: session.id }, 'a sandbox has no way to packages');
        });
      },
      launch: (session, launch) => {
        this.#launch(session, launch);
      },
      failed: (session) => {
        this.#clock.set(session);
      },
    });
    await this.#housekeeping.start();
    this.#pool.refill();
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
    this.#housekeeping.stop();
    this.#clock.clearAll();
    this.#line.stop();
    this.#book.close();
    const why = new BallastError('shutting_down');
    for (const session of this.#book.all) session.release(why);
    await Promise.all([this.#starts.callOffAll(why), this.#pool.stop()]);
  }

  #add(record: SessionRecord, lab: Lab): Session {
    const session = new Session(record, lab, this.#options.engine, {
      onWatched: this.#options.onWatched,
      onActive: (active) => {
        this.#setClock(active);
      },
      openImages: this.#options.openImages,
    });
    this.#book.add(session);
    return session;
  }

  #setClock(session: Session): void {
    if (!this.#stopped && session.status.kind !== 'queued') this.#clock.set(session);
  }

  /** Its turn has come: its time begins. */
  #begin(session: Session): void {
    const { minutes } = this.#options.config.session;
    session.startedAt = new Date();
    session.expiresAt = new Date(session.startedAt.getTime() + minutes * minuteMs);
    session.activeAt = session.startedAt.getTime();
    if (session.status.kind === 'queued') {
      session.become({ kind: 'starting', stage: 'Waiting for a sandbox', progress: 0 });
      this.#book.save(session);
    }
    this.#launch(session, { keepData: false });
  }

  /** Give it a sandbox in the background. */
  #launch(session: Session, options: LaunchOptions): void {
    this.#starts
      .begin(session, options)
      .then(({ sandboxId, warm, ms }) => {
        // Called off, but too late for the start to notice.
        if (this.#stopped || session.status.kind !== 'starting') return;
        this.#ready(session, sandboxId);
        this.#book.save(session);
        this.#options.logger.info({ session: session.id, warm, ms: Math.round(ms) }, 'sandbox ready');
        this.#options.onStarted({ warm, ms });
      })
      .catch((error: unknown) => {
        this.#failed(session, error);
      })
      .finally(() => {
        if (!this.#stopped) this.#line.advance();
      });
  }

  #ready(session: Session, sandboxId: string): void {
    session.become({ kind: 'ready', sandboxId });
    this.#setClock(session);
    // Its time was up while no server ran.
    if (!isLive(session.status)) return;
    const { engine, logger } = this.#options;
    const { signal } = session.use();
    const onLine = (line: string): void => {
      if (engineEnded(line)) session.warn('The Docker Engine in your sandbox had ended and is being started again.');
    };
    void whenStopped(engine, sandboxId, { signal, logger, onLine }).then((stopped) => {
      if (stopped) this.#revive(session);
    });
  }

  #onPhase(session: Session, standing: Standing): void {
    const { status } = session;
    if (standing.phase === 'over') {
      void this.#expire(session, standing.reason).catch((error: unknown) => {
        this.#housekeeping.failed(error);
      });
      return;
    }
    if (!isLive(status)) return;
    const { sandboxId } = status;
    if (standing.phase !== 'expiring') {
      if (status.kind !== standing.phase) session.become({ kind: standing.phase, sandboxId });
      return;
    }
    if (status.kind === 'expiring' && status.endsAt.getTime() === standing.endsAt) return;
    const wasWarned = status.kind === 'expiring';
    session.become({ kind: 'expiring', sandboxId, reason: standing.reason, endsAt: new Date(standing.endsAt) });
    if (!wasWarned) session.warn(endingNotice(standing, Date.now()));
  }

  /** Its time is up: what the learner wrote is kept for the next time. */
  async #expire(session: Session, reason: 'time' | 'idle'): Promise<void> {
    if (this.#ending.has(session) || session.status.kind === 'closed') return;
    this.#ending.add(session);
    const keeps = isLive(session.status) && this.#options.config.session.keptBytes > 0;
    const kept = keeps && (await this.#saved.keep(session));
    if (this.#stopped) return;
    await this.end(session, reason === 'time' ? 'expired' : 'idle', farewell(reason, kept));
  }

  async #forgetFiles(session: Session): Promise<void> {
    await this.#saved.forget(session).catch((error: unknown) => {
      this.#options.logger.error({ err: error, session: session.id }, 'kept files could not be removed');
    });
  }

  /**
   * Starts a sandbox that stopped by itself (killed from outside, out of memory) again around its files. One that
   * stops again and again has failed.
   */
  #revive(session: Session): void {
    this.#options.logger.error({ session: session.id }, 'sandbox stopped by itself');
    const now = performance.now();
    const recent = (this.#revivals.get(session) ?? []).filter((at) => now - at < revivalPeriodMs);
    if (recent.length >= mostRevivals) {
      const message = 'The sandbox stopped by itself again and again.';
      this.#failed(session, new BallastError('sandbox_failed', { message, hint: 'Start a new one.' }));
      return;
    }
    this.#revivals.set(session, [...recent, now]);
    this.reset(session, 'keep');
    const text = 'The sandbox had stopped and is being started again. Your files are kept; running programs are not.';
    session.warn(text);
  }

  #failed(session: Session, error: unknown): void {
    // Called off by an end or by the server's own stop: neither is a failure.
    if (this.#stopped || session.status.kind === 'closed') return;
    const known = error instanceof BallastError ? error : new BallastError('sandbox_failed', { cause: error });
    const failure: ErrorBody = known.toBody();
    this.#options.logger.error({ err: error, session: session.id }, 'sandbox failed');
    session.become({ kind: 'failed', failure }, known);
    this.#book.save(session);
    this.#setClock(session);
  }
}
