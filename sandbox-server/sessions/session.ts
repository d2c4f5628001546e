import { createEngineShell } from '../checks/engine-shell.ts';
import type { SandboxShell } from '../checks/index.ts';
import type { Engine, TerminalExec } from '../engines/engine.ts';
import type { ImageReader } from '../images/image-reader.ts';
import type { Lab } from '../labs/index.ts';
import { BallastError, type EventMessage, type SessionView } from '../protocol/index.ts';
import type { SessionRecord } from '../store/session-store.ts';
import { createSerial, type Serial } from './serial.ts';
import { isLive, nextStatus, type SessionStatus } from './session-status.ts';

/** A session's sandbox while it can be used. */
export interface Sandbox {
  readonly id: string;
  readonly shell: SandboxShell;
  readonly images: ImageReader;
  /** For changes of files: between looking at a version and replacing it no other may come. */
  readonly serial: Serial;
  /** The lab folder in it. */
  readonly labDir: string;
  /** Aborts when it is about to go, with a BallastError that says why. */
  readonly signal: AbortSignal;
}

type Listener = (message: EventMessage) => void;

/** What a session asks of whoever keeps it. */
export interface SessionHooks {
  /** The first listener has come, or a sandbox has become ready with listeners there. */
  onWatched(session: Session): void;
  /** Somebody did something in a session that was thought idle. */
  onActive(session: Session): void;
  /** A reader of the images in its sandbox. */
  openImages(shell: SandboxShell): ImageReader;
}

/** One learner's session: what it is, where it stands, who is watching. The manager alone changes it. */
export class Session {
  readonly id: string;
  readonly lab: Lab;
  readonly tokenHash: Uint8Array;
  /** SHA-256 of the secret of the browser that it belongs to; null when a program made it. */
  readonly ownerHash: Uint8Array | null;
  readonly createdAt: Date;
  /** Terminals that are open in the sandbox, watched or not. */
  readonly terminals = new Set<string>();
  /** Views of terminals that are open in this server, by the terminal's name. */
  readonly views = new Map<string, number>();
  /** The name that its sandbox and data volume carry: its own id, or that of the place in the pool they came from. */
  berth: string;
  /** Its time begins when it is given a sandbox. */
  startedAt: Date;
  expiresAt: Date;
  /** When somebody last did something in it, in ms since 1970. */
  activeAt = Date.now();
  /** Checks are running. */
  checking = false;
  /** It began with the files that were saved when the last one ended. */
  restoredFiles = false;
  /** A view that waits in the sandbox for the first terminal. */
  spareView: TerminalExec | null = null;
  #status: SessionStatus;
  #sandbox: Sandbox | null = null;
  #life: AbortController | null = null;
  readonly #listeners = new Set<Listener>();
  readonly #warned = new Set<(text: string) => void>();
  readonly #engine: Engine;
  readonly #hooks: SessionHooks;

  constructor(record: SessionRecord, lab: Lab, engine: Engine, hooks: SessionHooks) {
    this.id = record.id;
    this.lab = lab;
    this.tokenHash = record.tokenHash;
    this.ownerHash = record.ownerHash;
    this.createdAt = record.createdAt;
    this.berth = record.berth;
    this.startedAt = record.startedAt;
    this.expiresAt = record.expiresAt;
    this.#engine = engine;
    this.#hooks = hooks;
    if (record.failure !== null) this.#status = { kind: 'failed', failure: record.failure };
    else if (record.state === 'queued') this.#status = { kind: 'queued', position: 1, waitSeconds: null };
    else this.#status = { kind: 'starting', stage: 'Waiting for a sandbox', progress: 0 };
  }

  get status(): SessionStatus {
    return this.#status;
  }

  get watched(): boolean {
    return this.#listeners.size > 0;
  }

  /** Absolute path of the lab folder in the sandbox. */
  get labDir(): string {
    return `/home/learner/${this.lab.id}`;
  }

  /**
   * Change the status and tell everybody.
   * @param why told to all that use the sandbox when it ceases to be usable
   */
  become(status: SessionStatus, why = new BallastError('session_not_ready')): void {
    this.#status = nextStatus(this.#status, status);
    if (isLive(status)) {
      this.#open(status.sandboxId);
    } else {
      this.#life?.abort(why);
      this.#life = null;
      this.#sandbox = null;
      this.#dropSpareView();
      this.terminals.clear();
    }
    this.announce();
  }

  #open(sandboxId: string): void {
    if (this.#sandbox !== null) return;
    this.#life = new AbortController();
    const shell = createEngineShell(this.#engine, sandboxId);
    this.#sandbox = {
      id: sandboxId,
      shell,
      images: this.#hooks.openImages(shell),
      serial: createSerial(),
      labDir: this.labDir,
      signal: this.#life.signal,
    };
    if (this.watched) this.#hooks.onWatched(this);
  }

  /** Let go of the sandbox without ending it: the server stops. */
  release(why: BallastError): void {
    this.#life?.abort(why);
    this.#dropSpareView();
  }

  #dropSpareView(): void {
    this.spareView?.destroy();
    this.spareView = null;
  }

  /** Somebody does something: the idle clock begins anew. Called at each keystroke. */
  touch(): void {
    this.activeAt = Date.now();
    const { kind } = this.#status;
    if (kind === 'idle' || kind === 'expiring') this.#hooks.onActive(this);
  }

  /** The sandbox. @throws BallastError session_not_ready, or what made the session fail */
  use(): Sandbox {
    if (this.#sandbox !== null) return this.#sandbox;
    if (this.#status.kind === 'failed') throw new BallastError('session_not_ready', this.#status.failure);
    throw new BallastError(this.#status.kind === 'closed' ? 'session_not_found' : 'session_not_ready');
  }

  /** Hear of all that happens; returns how to stop. */
  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1 && this.#sandbox !== null) this.#hooks.onWatched(this);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  publish(message: EventMessage): void {
    for (const listener of [...this.#listeners]) listener(message);
  }

  /** Hear of what must also be said in a terminal; returns how to stop. */
  onWarning(listener: (text: string) => void): () => void {
    this.#warned.add(listener);
    return () => {
      this.#warned.delete(listener);
    };
  }

  /** Tell the learner something that they should not miss, in the page and in the terminals. */
  warn(text: string): void {
    this.publish({ type: 'notice', level: 'warning', text });
    for (const listener of [...this.#warned]) listener(text);
  }

  /** Tell everybody how the session stands. */
  announce(): void {
    this.publish({ type: 'session', session: this.view() });
  }

  view(): SessionView {
    const status = this.#status;
    return {
      id: this.id,
      lab: this.lab.id,
      state: status.kind,
      stage: status.kind === 'starting' ? status.stage : status.kind === 'closed' ? status.farewell : '',
      progress: status.kind === 'starting' ? status.progress : isLive(status) ? 1 : 0,
      queue: status.kind === 'queued' ? { position: status.position, waitSeconds: status.waitSeconds } : null,
      createdAt: this.createdAt.toISOString(),
      expiresAt: (status.kind === 'expiring' ? status.endsAt : this.expiresAt).toISOString(),
      restoredFiles: this.restoredFiles,
      terminals: [...this.terminals],
      maxTerminals: this.lab.terminals,
      failure: status.kind === 'failed' ? status.failure : null,
    };
  }

  /** What the database keeps of it. @throws BallastError internal when it is closed */
  record(): SessionRecord {
    const status = this.#status;
    if (status.kind === 'closed') throw new BallastError('internal', { message: 'A closed session is not kept.' });
    return {
      id: this.id,
      tokenHash: this.tokenHash,
      ownerHash: this.ownerHash,
      lab: this.lab.id,
      berth: this.berth,
      sandboxId: isLive(status) ? status.sandboxId : null,
      // How idle it is, the next server finds out by itself.
      state: isLive(status) ? 'ready' : status.kind,
      failure: status.kind === 'failed' ? status.failure : null,
      createdAt: this.createdAt,
      startedAt: this.startedAt,
      expiresAt: this.expiresAt,
    };
  }
}
