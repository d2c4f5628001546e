import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import type { Engine, SandboxRecord } from '../engines/engine.ts';
import type { Lab } from '../labs/index.ts';
import type { SandboxShell } from '../checks/index.ts';
import type { ImageReader } from '../images/image-reader.ts';
import { BallastError, type ErrorBody } from '../protocol/index.ts';
import type { SavedFilesStore } from '../store/saved-files-store.ts';
import type { SessionRecord, SessionStore } from '../store/session-store.ts';
import { assess, estimateWait, measureHost, startsAtOnce, type HostRoom, type Verdict } from './admission.ts';
import { hashToken, newSessionId, newToken, tokenMatches } from './credentials.ts';
import { hasRunningBuild } from './has-running-build.ts';
import { missingImages } from './lab-list.ts';
import { commonSpec, type LaunchOptions } from './launch-sandbox.ts';
import type { BaseImage } from './list-images.ts';
import { reapLeftovers } from './reap-leftovers.ts';
import { SandboxPool } from './sandbox-pool.ts';
import { SandboxStarts } from './sandbox-starts.ts';
import { SavedFiles } from './saved-files.ts';
import { SessionClock, type Standing } from './session-clock.ts';
import { isLive } from './session-status.ts';
import { Session } from './session.ts';
import { refreshTerminals } from './terminals.ts';
import { WaitingLine } from './waiting-line.ts';
import { whenStopped } from './when-stopped.ts';
import { endingNotice, engineEnded, farewell } from './words.ts';

const minuteMs = 60_000;
/** A sandbox that stops again within this is not started a third time. */
const revivalPauseMs = 60_000;
/** How often what nobody owns is looked for. */
const reapEveryMs = 5 * minuteMs;
/** How often a session that could not be written down is tried again. */
const saveAgainMs = 10_000;

export interface SessionManagerOptions {
  readonly config: Config;
  readonly engine: Engine;
  readonly store: SessionStore;
  readonly savedFiles: { readonly store: SavedFilesStore; readonly folder: string };
  readonly prepared: {
    readonly image: string;
    readonly store: { readonly volume: string; readonly images: readonly BaseImage[] };
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
  readonly #sessions = new Map<string, Session>();
  readonly #clock: SessionClock;
  readonly #line: WaitingLine;
  readonly #starts: SandboxStarts;
  readonly #pool: SandboxPool;
  readonly #saved: SavedFiles;
  readonly #ending = new WeakSet<Session>();
  readonly #unsaved = new Set<Session>();
  readonly #lastRevival = new WeakMap<Session, number>();
  readonly #chores: NodeJS.Timeout[] = [];
  #stopped = false;

  constructor(options: SessionManagerOptions) {
    this.#options = options;
    const { config, engine, prepared, hostId, logger, savedFiles } = options;
    const { startSeconds, ...limits } = config.sandbox;
    const settings = { image: prepared.image, storeVolume: prepared.store.volume, hostId, limits, startSeconds };
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
    this.#pool = new SandboxPool({
      engine,
      size: config.pool.size,
      startSeconds,
      specFor: (berth) => commonSpec(berth, settings),
      mayRefill: () => {
        const room = this.#room();
        return this.#starts.count === 0 && this.#line.length === 0 && room.loadPerCore <= config.pool.maxLoadPerCore
          ? this.#assess(room).kind === 'admit'
          : false;
      },
      logger,
    });
    this.#starts = new SandboxStarts({
      engine,
      settings,
      pool: this.#pool,
      saved: this.#saved,
      atOnce: startsAtOnce(measureHost(null).cores),
      save: (session) => {
        options.store.save(session.record());
      },
      logger,
    });
    this.#line = new WaitingLine({
      assess: (session) => this.#verdictFor(session),
      estimate: (position, verdict) => this.#estimate(position, verdict),
      promote: (session) => {
        this.#begin(session);
      },
      abandon: (session) => {
        void this.end(session, 'nobody waited for it').catch((error: unknown) => {
          this.#unremoved(error);
        });
      },
    });
  }

  /** Sessions that hold a sandbox or are getting one. */
  get active(): number {
    return [...this.#sessions.values()].filter(({ status }) => status.kind === 'starting' || isLive(status)).length;
  }

  get sessions(): Iterable<Session> {
    return this.#sessions.values();
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
    const { labs, prepared, config, store, logger } = this.#options;
    const lab = labs.get(labId);
    if (lab === undefined) throw new BallastError('lab_not_found');
    const missing = missingImages(lab, prepared.store.images);
    if (missing.length > 0) {
      throw new BallastError('images_missing', {
        message: `These base images are not here yet: ${missing.join(', ')}.`,
      });
    }
    const verdict = this.#verdictFor({ lab });
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
    store.save(record);
    const session = this.#add(record, lab);
    logger.info({ session: session.id, lab: lab.id, queued: waits }, 'session created');
    if (waits) this.#line.add(session);
    else this.#begin(session);
    return { session, token };
  }

  /** @throws BallastError session_not_found, or unauthorized when the token is not that session's */
  authenticate(id: string, token: string): Session {
    const session = this.#sessions.get(id);
    if (session === undefined || session.status.kind === 'closed') throw new BallastError('session_not_found');
    if (!tokenMatches(token, session.tokenHash)) throw new BallastError('unauthorized');
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
    this.#save(session);
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
    this.#save(session);
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
    const { store, logger } = this.#options;
    this.#clock.clear(session.id);
    session.become({ kind: 'closed', farewell: words }, new BallastError('session_not_found'));
    this.#unsaved.delete(session);
    this.#line.remove(session);
    try {
      store.remove(session.id);
    } catch (error) {
      // The next server finds that nothing is left of it.
      logger.error({ err: error, session: session.id }, 'an ended session could not be taken out of the database');
    }
    logger.info({ session: session.id, reason }, 'session ended');
    await this.#starts.callOff(session, new BallastError('session_not_found'));
    // Until now its berth was its own: the reaper must not come before us.
    this.#sessions.delete(session.id);
    await this.#reap(session.berth);
    if (!this.#stopped) this.#line.advance();
  }

  /**
   * Goes on where a server before this one stopped: sessions whose sandbox runs are taken up, those whose sandbox has
   * stopped get a new one around their files, starts that were cut off begin again, what nobody owns is removed.
   * Call once, before listening.
   */
  async resume(): Promise<void> {
    const { engine, store, hostId } = this.#options;
    const sandboxes = new Map(
      (await engine.listSandboxes({ 'ballast.host': hostId, 'ballast.kind': 'sandbox' })).map((sandbox) => [
        sandbox.session,
        sandbox,
      ]),
    );
    for (const record of store.list()) await this.#takeUp(record, sandboxes.get(record.berth));
    await this.#reap();
    await this.#saved.tidy();
    this.#every(reapEveryMs, async () => {
      await this.#reap();
      await this.#saved.tidy();
    });
    this.#every(saveAgainMs, () => {
      for (const session of [...this.#unsaved]) this.#save(session);
      return Promise.resolve();
    });
    this.#pool.refill();
  }

  async #takeUp(record: SessionRecord, sandbox: SandboxRecord | undefined): Promise<void> {
    const { engine, store, labs, hostId, logger } = this.#options;
    const lab = labs.get(record.lab);
    const labels = { 'ballast.host': hostId, 'ballast.session': record.berth };
    const hasFiles = sandbox !== undefined || (await engine.listVolumes(labels)).length > 0;
    if (lab === undefined || (record.state === 'ready' && !hasFiles)) {
      store.remove(record.id);
      logger.info({ session: record.id }, 'session could not be taken up');
      return;
    }
    const session = this.#add(record, lab);
    if (record.state === 'queued') {
      this.#line.add(session);
    } else if (record.state === 'ready' && sandbox?.running === true && sandbox.id === record.sandboxId) {
      this.#ready(session, sandbox.id);
      await refreshTerminals(session).catch((error: unknown) => {
        logger.warn({ err: error, session: session.id }, 'terminals not listed');
      });
      logger.info({ session: session.id }, 'session taken up');
    } else if (record.state !== 'failed') {
      // It may have been a reset that was cut off, or the engine was restarted: what is there is the learner's work.
      this.#launch(session, { keepData: true, ...(sandbox === undefined ? {} : { replace: sandbox.id }) });
      logger.info({ session: session.id }, 'session gets a new sandbox around its files');
    } else {
      this.#clock.set(session);
    }
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
    for (const chore of this.#chores) clearInterval(chore);
    this.#clock.clearAll();
    this.#line.stop();
    const why = new BallastError('shutting_down');
    for (const session of this.#sessions.values()) session.release(why);
    await Promise.all([this.#starts.callOffAll(why), this.#pool.stop()]);
  }

  #every(ms: number, chore: () => Promise<void>): void {
    const run = (): void => {
      chore().catch((error: unknown) => {
        this.#unremoved(error);
      });
    };
    this.#chores.push(setInterval(run, ms).unref());
  }

  #unremoved(error: unknown): void {
    if (!this.#stopped) this.#options.logger.error({ err: error }, 'something could not be removed; it is tried again');
  }

  #room(): HostRoom {
    return measureHost(this.#options.dataDir);
  }

  #assess(room: HostRoom): Verdict {
    const { session, admission, disk } = this.#options.config;
    const demand = { active: this.active, starting: this.#starts.count };
    return assess(room, demand, { ...admission, maxSessions: session.max, diskReserveBytes: disk.reserveBytes });
  }

  #verdictFor(session: Pick<Session, 'lab'>): Verdict {
    const verdict = this.#assess(this.#room());
    // One that waits in the pool needs no start.
    const noStart = verdict.kind === 'wait' && verdict.for !== 'a session to end' && this.#starts.isPooled(session);
    return noStart ? { kind: 'admit' } : verdict;
  }

  #estimate(position: number, verdict: Verdict): number | null {
    const endings = [...this.#sessions.values()]
      .filter(({ status }) => isLive(status))
      .map(({ expiresAt }) => expiresAt.getTime());
    const { cores } = measureHost(null);
    return estimateWait(position, verdict, { endings, startMs: this.#starts.typicalMs, cores, now: Date.now() });
  }

  #add(record: SessionRecord, lab: Lab): Session {
    const session = new Session(record, lab, this.#options.engine, {
      onWatched: this.#options.onWatched,
      onActive: (active) => {
        this.#setClock(active);
      },
      openImages: this.#options.openImages,
    });
    this.#sessions.set(session.id, session);
    return session;
  }

  #setClock(session: Session): void {
    if (!this.#stopped && session.status.kind !== 'queued') this.#clock.set(session);
  }

  /** What cannot be written now is written as soon as there is room: the session goes on meanwhile. */
  #save(session: Session): void {
    if (this.#stopped || session.status.kind === 'closed') return;
    try {
      this.#options.store.save(session.record());
      this.#unsaved.delete(session);
    } catch (error) {
      this.#unsaved.add(session);
      this.#options.logger.error({ err: error, session: session.id }, 'a session could not be written down');
    }
  }

  /** Its turn has come: its time begins. */
  #begin(session: Session): void {
    const { minutes } = this.#options.config.session;
    session.startedAt = new Date();
    session.expiresAt = new Date(session.startedAt.getTime() + minutes * minuteMs);
    session.activeAt = session.startedAt.getTime();
    if (session.status.kind === 'queued') {
      session.become({ kind: 'starting', stage: 'Waiting for a sandbox', progress: 0 });
      this.#save(session);
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
        this.#save(session);
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
        this.#unremoved(error);
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
    session.warn(text);
  }

  #failed(session: Session, error: unknown): void {
    // Called off by an end or by the server's own stop: neither is a failure.
    if (this.#stopped || session.status.kind === 'closed') return;
    const known = error instanceof BallastError ? error : new BallastError('sandbox_failed', { cause: error });
    const failure: ErrorBody = known.toBody();
    this.#options.logger.error({ err: error, session: session.id }, 'sandbox failed');
    session.become({ kind: 'failed', failure }, known);
    this.#save(session);
    this.#setClock(session);
  }

  /** Remove what is left of one berth, or all that is nobody's any more. */
  async #reap(only?: string): Promise<void> {
    const { engine, hostId, logger } = this.#options;
    const owned = (berth: string): boolean =>
      this.#pool.holds(berth) || [...this.#sessions.values()].some((session) => session.berth === berth);
    await reapLeftovers(engine, hostId, {
      keep: (berth) => (only === undefined ? owned(berth) : false),
      ...(only === undefined ? {} : { only }),
      logger,
    });
  }
}
