import { BallastError, type EventMessage, type SessionView } from '../../sandbox-server/protocol/index.ts';
import { explain, type Api } from './api.ts';
import { EventSocket } from './event-socket.ts';
import type { ConnectionState } from './reconnecting-socket.ts';
import type { KeyValueStore } from './storage.ts';
import { Store, type Readable } from './store.ts';

export interface Explanation {
  readonly message: string;
  readonly hint: string;
}

export type SandboxState =
  /** No sandbox; `notice` says what became of the last one. */
  | { readonly kind: 'none'; readonly notice: string | null }
  /** Looking whether the sandbox of the last visit still lives. */
  | { readonly kind: 'resuming' }
  /** Waiting for a sandbox to become free; `waitSeconds` is a guess, null when there is none. */
  | { readonly kind: 'queued'; readonly position: number; readonly waitSeconds: number | null }
  | { readonly kind: 'starting'; readonly stage: string; readonly progress: number }
  | { readonly kind: 'ready'; readonly session: SessionView }
  | { readonly kind: 'failed'; readonly error: Explanation };

export interface SessionControllerOptions {
  readonly lab: string;
  readonly api: Api;
  readonly storage: KeyValueStore;
  /** Origin of the event socket, "ws://host:port". */
  readonly socketBase: string;
  /** Every event of the session's socket, after the controller has looked at it. */
  onEvent?(message: EventMessage): void;
}

/** Starts, resumes, extends, resets and ends the one session that a lab has in this browser. */
export class SessionController {
  readonly #options: SessionControllerOptions;
  readonly #state = new Store<SandboxState>({ kind: 'none', notice: null });
  readonly #connection = new Store<ConnectionState | null>(null);
  #events: EventSocket | undefined;
  #id: string | undefined;

  constructor(options: SessionControllerOptions) {
    this.#options = options;
  }

  get state(): Readable<SandboxState> {
    return this.#state;
  }

  /** How the event socket stands; null while there is no session. */
  get connection(): Readable<ConnectionState | null> {
    return this.#connection;
  }

  /** Takes up the session of the last visit, if there is one and it still lives. */
  async resume(): Promise<void> {
    const id = this.#options.storage.getItem(this.#key);
    if (id === null) return;
    this.#state.set({ kind: 'resuming' });
    try {
      this.#adopt(await this.#options.api.getSession(id));
    } catch (error) {
      if (isGone(error)) this.#forget('Your last sandbox has ended.');
      else this.#fail(error);
    }
  }

  /** Makes a new session, or tries again to reach the one we had. */
  async start(): Promise<void> {
    const { kind } = this.#state.value;
    if (kind === 'queued' || kind === 'starting' || kind === 'ready') return;
    if (this.#options.storage.getItem(this.#key) !== null) {
      await this.resume();
      if (this.#state.value.kind !== 'none') return;
    }
    this.#state.set({ kind: 'starting', stage: 'Asking for a sandbox', progress: 0 });
    try {
      this.#adopt(await this.#options.api.createSession(this.#options.lab));
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Puts off the end of the session. Rejects as the API does. */
  async extend(): Promise<void> {
    if (this.#id === undefined) return;
    this.#show(await this.#options.api.extendSession(this.#id));
  }

  /** A new container: around the same files (`keep`), or with the lab's own files again (`restore`). */
  async reset(files: 'keep' | 'restore'): Promise<void> {
    const id = this.#id;
    if (id === undefined) return;
    const before = this.#state.value;
    this.#state.set({ kind: 'starting', stage: 'Restarting the sandbox', progress: 0 });
    try {
      this.#show(await this.#options.api.resetSession(id, files));
    } catch (error) {
      if (isGone(error)) this.#forget('Your sandbox has ended.');
      else {
        this.#state.set(before);
        throw error;
      }
    }
  }

  /** Ends the session, its shells and its files. */
  async end(): Promise<void> {
    const id = this.#id;
    if (id === undefined) return;
    // What a sandbox tells while it is being removed would only set off requests that fail.
    this.#disconnect();
    try {
      await this.#options.api.endSession(id);
    } catch (error) {
      if (!isGone(error)) {
        this.#connect(id);
        throw error;
      }
    }
    this.#forget('The sandbox has ended.');
  }

  /** Drops connections thought dead; `now` instead tries lost ones at once. */
  refresh(how: 'drop' | 'now'): void {
    if (how === 'drop') this.#events?.reconnect();
    else this.#events?.retryNow();
  }

  /** Lets go of the session without ending it. */
  dispose(): void {
    this.#disconnect();
  }

  get #key(): string {
    return `ballast.session.${this.#options.lab}`;
  }

  #adopt(session: SessionView): void {
    if (session.state === 'closed') {
      this.#forget('Your last sandbox has ended.');
      return;
    }
    this.#id = session.id;
    this.#options.storage.setItem(this.#key, session.id);
    this.#show(session);
    if (this.#id === session.id) this.#connect(session.id);
  }

  #connect(id: string): void {
    this.#disconnect();
    const events = new EventSocket({
      url: `${this.#options.socketBase}/api/sessions/${id}/events`,
      onEvent: (message) => {
        if (message.type === 'session') this.#show(message.session);
        this.#options.onEvent?.(message);
      },
    });
    this.#events = events;
    events.connection.subscribe((connection) => {
      this.#connection.set(connection);
      // A final close code from the server: the session is not there any more.
      if (connection.kind === 'closed' && this.#events === events) this.#forget('Your sandbox has ended.');
    });
  }

  #show(session: SessionView): void {
    switch (session.state) {
      case 'ready':
      case 'idle':
      case 'expiring':
        this.#state.set({ kind: 'ready', session });
        break;
      case 'queued':
        this.#state.set({ kind: 'queued', position: 1, waitSeconds: null, ...session.queue });
        break;
      case 'starting':
        this.#state.set({ kind: 'starting', stage: session.stage, progress: session.progress });
        break;
      case 'failed':
        this.#release();
        this.#state.set({
          kind: 'failed',
          error: session.failure ?? { message: 'The sandbox did not start.', hint: 'Try again.' },
        });
        break;
      case 'closed':
        this.#forget(session.stage === '' ? 'Your sandbox has ended.' : session.stage);
    }
  }

  #fail(error: unknown): void {
    this.#state.set({ kind: 'failed', error: explain(error) });
  }

  #forget(notice: string): void {
    this.#release();
    this.#state.set({ kind: 'none', notice });
  }

  #release(): void {
    this.#options.storage.removeItem(this.#key);
    this.#id = undefined;
    this.#disconnect();
  }

  #disconnect(): void {
    const events = this.#events;
    this.#events = undefined;
    events?.dispose();
    this.#connection.set(null);
  }
}

function isGone(error: unknown): boolean {
  return error instanceof BallastError && (error.code === 'session_not_found' || error.code === 'unauthorized');
}
