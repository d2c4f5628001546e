import { createEngineShell } from '../checks/engine-shell.ts';
import { createSandboxImages, type SandboxShell } from '../checks/index.ts';
import type { Engine } from '../engines/engine.ts';
import type { ImageReader } from '../images/image-reader.ts';
import type { Lab } from '../labs/index.ts';
import { BallastError, type EventMessage, type SessionView } from '../protocol/index.ts';
import type { SessionRecord } from '../store/session-store.ts';
import { createSerial, type Serial } from './serial.ts';
import { nextStatus, type SessionStatus } from './session-status.ts';

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

/** One learner's session: what it is, where it stands, who is watching. The manager alone changes it. */
export class Session {
  readonly id: string;
  readonly lab: Lab;
  readonly tokenHash: Uint8Array;
  readonly createdAt: Date;
  /** Terminals that are open in the sandbox, watched or not. */
  readonly terminals = new Set<string>();
  /** Views of terminals that are open in this server, by the terminal's name. */
  readonly views = new Map<string, number>();
  expiresAt: Date;
  /** Checks are running. */
  checking = false;
  #status: SessionStatus;
  #sandbox: Sandbox | null = null;
  #life: AbortController | null = null;
  readonly #listeners = new Set<Listener>();
  readonly #engine: Engine;
  readonly #onWatched: (session: Session) => void;

  /**
   * @param onWatched called when the first listener comes and when a sandbox becomes ready with listeners there
   */
  constructor(record: SessionRecord, lab: Lab, engine: Engine, onWatched: (session: Session) => void) {
    this.id = record.id;
    this.lab = lab;
    this.tokenHash = record.tokenHash;
    this.createdAt = record.createdAt;
    this.expiresAt = record.expiresAt;
    this.#engine = engine;
    this.#onWatched = onWatched;
    this.#status =
      record.failure === null
        ? { kind: 'starting', stage: 'Waiting for a sandbox', progress: 0 }
        : { kind: 'failed', failure: record.failure };
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
   * @param why told to all that use the sandbox when it ceases to be ready
   */
  become(status: SessionStatus, why = new BallastError('session_not_ready')): void {
    this.#status = nextStatus(this.#status, status);
    this.#life?.abort(why);
    this.#life = null;
    this.#sandbox = null;
    if (status.kind === 'ready') {
      this.#life = new AbortController();
      const shell = createEngineShell(this.#engine, status.sandboxId);
      this.#sandbox = {
        id: status.sandboxId,
        shell,
        images: createSandboxImages(shell),
        serial: createSerial(),
        labDir: this.labDir,
        signal: this.#life.signal,
      };
    } else {
      this.terminals.clear();
    }
    this.announce();
    if (status.kind === 'ready' && this.watched) this.#onWatched(this);
  }

  /** Let go of the sandbox without ending it: the server stops. */
  release(why: BallastError): void {
    this.#life?.abort(why);
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
    if (this.#listeners.size === 1 && this.#sandbox !== null) this.#onWatched(this);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  publish(message: EventMessage): void {
    for (const listener of [...this.#listeners]) listener(message);
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
      stage: status.kind === 'starting' ? status.stage : '',
      progress: status.kind === 'starting' ? status.progress : status.kind === 'ready' ? 1 : 0,
      createdAt: this.createdAt.toISOString(),
      expiresAt: this.expiresAt.toISOString(),
      terminals: [...this.terminals],
      maxTerminals: this.lab.terminals,
      failure: status.kind === 'failed' ? status.failure : null,
    };
  }

  /** What the database keeps of it. */
  record(): SessionRecord {
    const status = this.#status;
    if (status.kind === 'closed') throw new BallastError('internal', { message: 'A closed session is not kept.' });
    return {
      id: this.id,
      tokenHash: this.tokenHash,
      lab: this.lab.id,
      sandboxId: status.kind === 'ready' ? status.sandboxId : null,
      state: status.kind,
      failure: status.kind === 'failed' ? status.failure : null,
      createdAt: this.createdAt,
      expiresAt: this.expiresAt,
    };
  }
}
