import { z } from 'zod';
import {
  BallastError,
  labResult,
  sessionId,
  type EventMessage,
  type FileEntry,
  type ImageView,
} from '../../../sandbox-server/protocol/index.ts';
import { createApi, explain, type Api } from '../../client/api.ts';
import { begin, emptyBoard, finish, settle, updateBoard, type CheckSummary } from '../../client/check-board.ts';
import { Listeners } from '../../client/listeners.ts';
import type { ConnectionState } from '../../client/reconnecting-socket.ts';
import { parseMessage } from '../../client/parse-message.ts';
import { SessionController, type SandboxState } from '../../client/session-controller.ts';
import { forgivingStore, type KeyValueStore } from '../../client/storage.ts';
import { showView, type View } from './views.ts';

/** What a lesson's page tells the workspace of its lab. */
export interface WorkspaceLab {
  readonly id: string;
  readonly title: string;
  readonly minutes: number;
  /** What the sandbox reaches: nothing, or package registries. */
  readonly network: 'none' | 'packages';
  readonly checks: readonly CheckSummary[];
}

/** The last result as it is kept in the browser, for the session that it belongs to. */
const keptResult = z.object({ session: sessionId, result: labResult });

const quietErrors: ReadonlySet<string> = new Set(['session_not_found', 'unauthorized', 'shutting_down']);

export interface Notice {
  readonly id: number;
  readonly level: 'info' | 'warning';
  readonly text: string;
}

/** Everything that the parts of one workspace share. Made once by Workspace.svelte, handed down as a prop. */
export class WorkspaceModel {
  readonly lab: WorkspaceLab;
  readonly api: Api;
  readonly controller: SessionController;
  readonly storage: KeyValueStore;
  readonly socketBase: string;

  sandbox = $state.raw<SandboxState>({ kind: 'none', notice: null });
  connection = $state.raw<ConnectionState | null>(null);
  board = $state.raw(emptyBoard([]));
  /** Why the last run of checks gave no result. */
  checksError = $state.raw<{ message: string; hint: string } | null>(null);
  images = $state.raw<readonly ImageView[]>([]);
  /** Null until first listed. */
  files = $state.raw<readonly FileEntry[] | null>(null);
  notices = $state.raw<readonly Notice[]>([]);
  /** The view at the front on a narrow screen. */
  view = $state<View>('lesson');
  narrow = $state(false);
  /** The upper half's tab on a wide screen. */
  upper = $state<'files' | 'checks'>('files');
  /** Code from the lesson that waits to be typed into the terminal. */
  commands = $state.raw<readonly string[]>([]);
  /** Counts sandboxes, so that a fresh one gets fresh terminals and editors. */
  generation = $state(0);

  readonly #fileChanges = new Listeners<readonly string[]>();
  #listing: Promise<void> | undefined;
  #listAgain = false;
  #lastNotice = 0;
  #runPending = false;

  constructor(lab: WorkspaceLab) {
    this.lab = lab;
    this.board = emptyBoard(lab.checks);
    this.api = createApi('');
    this.storage = forgivingStore(() => localStorage);
    this.socketBase = location.origin.replace(/^http/, 'ws');
    this.controller = new SessionController({
      lab: lab.id,
      api: this.api,
      storage: this.storage,
      socketBase: this.socketBase,
      onEvent: (message) => {
        this.#onEvent(message);
      },
    });
    this.controller.state.subscribe((state) => {
      this.#onSandbox(state);
    });
    this.controller.connection.subscribe((connection) => {
      this.connection = connection;
    });
  }

  /** Id of the running session; throws when there is none. */
  get sessionId(): string {
    if (this.sandbox.kind !== 'ready') throw new Error('There is no running sandbox.');
    return this.sandbox.session.id;
  }

  /** Runs all checks, or those named; the board shows how it goes. Never rejects. */
  async runChecks(ids?: readonly string[]): Promise<void> {
    if (this.board.running || this.sandbox.kind !== 'ready') return;
    this.checksError = null;
    this.upper = 'checks';
    showView('checks');
    this.board = begin(this.board, ids ?? this.board.rows.map((row) => row.id));
    this.#runPending = true;
    try {
      this.board = finish(this.board, await this.api.runChecks(this.sessionId, ids));
      this.#keepResult();
    } catch (error) {
      // A run that was begun before, or from another page: the events tell how it ends.
      if (error instanceof BallastError && error.code === 'checks_running') return;
      this.board = settle(this.board);
      this.checksError = explain(error);
    } finally {
      this.#runPending = false;
    }
  }

  /** A new container; starting over also forgets what the checks said. Rejects as the API does. */
  async reset(files: 'keep' | 'restore'): Promise<void> {
    await this.controller.reset(files);
    if (files === 'restore') {
      this.board = emptyBoard(this.lab.checks);
      this.storage.removeItem(this.#resultKey);
    }
  }

  /** Types code of the lesson into the terminal, starting a sandbox first if need be. */
  run(code: string): void {
    this.commands = [...this.commands, code];
    showView('terminal');
    if (this.sandbox.kind === 'none' || this.sandbox.kind === 'failed') void this.controller.start();
  }

  /** The code that waits, once. */
  takeCommands(): readonly string[] {
    const taken = this.commands;
    this.commands = [];
    return taken;
  }

  /** Lists the files again. Calls while a listing is under way share one more listing after it. */
  refreshFiles(): Promise<void> {
    if (this.#listing !== undefined) {
      this.#listAgain = true;
      return this.#listing;
    }
    this.#listing = this.#listFiles().finally(() => {
      this.#listing = undefined;
    });
    return this.#listing;
  }

  /** Calls `listener` with the paths changed in the sandbox (none: any may have). Gives the function that ends it. */
  onFiles(listener: (paths: readonly string[]) => void): () => void {
    return this.#fileChanges.add(listener);
  }

  /** Shows a line under the bar until it is dismissed. */
  notify(level: Notice['level'], text: string): void {
    this.#lastNotice += 1;
    this.notices = [...this.notices, { id: this.#lastNotice, level, text }];
  }

  dismiss(id: number): void {
    this.notices = this.notices.filter((notice) => notice.id !== id);
  }

  /** Does what a menu asks for, and says so when it fails. */
  async attempt(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      const { message, hint } = explain(error);
      this.notify('warning', `${message} ${hint}`);
    }
  }

  get #resultKey(): string {
    return `ballast.result.${this.lab.id}`;
  }

  #keepResult(): void {
    const { result } = this.board;
    // A run of some checks only is not the whole story.
    if (result?.checks.length !== this.lab.checks.length || this.sandbox.kind !== 'ready') return;
    this.storage.setItem(this.#resultKey, JSON.stringify({ session: this.sessionId, result }));
  }

  /** What the checks last said, before the page was loaded again. */
  #restoreResult(): void {
    const kept = parseMessage(keptResult, this.storage.getItem(this.#resultKey) ?? '');
    if (kept?.session === this.sessionId) this.board = finish(this.board, kept.result);
  }

  async #listFiles(): Promise<void> {
    if (this.sandbox.kind !== 'ready') return;
    this.#listAgain = false;
    await this.#takeList(this.sessionId);
    if (this.#listAgainWanted()) await this.#listFiles();
  }

  #listAgainWanted(): boolean {
    return this.#listAgain;
  }

  async #takeList(id: string): Promise<void> {
    try {
      this.files = await this.api.listFiles(id);
    } catch {
      // The next event or connection lists them again; an old list does no harm until then.
    }
  }

  #onSandbox(state: SandboxState): void {
    const was = this.sandbox.kind;
    this.sandbox = state;
    if (state.kind === 'ready' && was !== 'ready') {
      this.generation += 1;
      this.files = null;
      void this.refreshFiles();
      void this.#refreshImages();
      if (this.board.result === null) this.#restoreResult();
      if (was === 'starting' && state.session.restoredFiles) {
        this.notify(
          'info',
          'Your files from last time are back. “Start over” in the menu brings the lesson’s own again.',
        );
      }
    }
    if (state.kind === 'none') {
      this.board = emptyBoard(this.lab.checks);
      this.checksError = null;
      this.images = [];
      this.files = null;
    }
    if (state.kind === 'failed') this.commands = [];
  }

  async #refreshImages(): Promise<void> {
    try {
      this.images = await this.api.listImages(this.sessionId);
    } catch {
      // The events socket tells them too.
    }
  }

  #onEvent(message: EventMessage): void {
    this.board = updateBoard(this.board, message);
    switch (message.type) {
      case 'session':
        // The first message of each connection: whatever changed while there was none was not told.
        if (this.sandbox.kind === 'ready') {
          void this.refreshFiles();
          this.#fileChanges.emit([]);
        }
        // Nor how a run ended that another page of this session had started.
        if (!this.#runPending) this.board = settle(this.board);
        break;
      case 'files':
        void this.refreshFiles();
        this.#fileChanges.emit(message.paths);
        break;
      case 'images':
        this.images = message.images;
        break;
      case 'notice':
        this.notify(message.level, message.text);
        break;
      case 'error':
        // What the session's own state says already, and better.
        if (quietErrors.has(message.error.code)) break;
        this.notify('warning', `${message.error.message} ${message.error.hint}`);
        break;
      case 'checks-done':
        this.#keepResult();
        break;
      case 'check':
      case 'checks-started':
        break;
    }
  }
}
