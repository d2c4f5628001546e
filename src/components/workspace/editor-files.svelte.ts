import type { EditorState } from '@codemirror/state';
import { explain } from '../../client/api.ts';
import { FileDocument, type SaveState } from '../../client/file-document.ts';
import { fileState, replaceText } from './editor-setup.ts';
import type { WorkspaceModel } from './workspace-model.svelte.ts';

/** One file that was opened in the editor; kept, with its undo history, while others are looked at. */
export class OpenFile {
  readonly path: string;
  readonly document: FileDocument;
  /** The editor's state while the file is not the one shown. */
  state: EditorState;
  save = $state.raw<SaveState>({ kind: 'saved' });

  constructor(path: string, document: FileDocument, state: EditorState) {
    this.path = path;
    this.document = document;
    this.state = state;
    document.save.subscribe((save) => {
      this.save = save;
    });
  }
}

/** The files that are open in the editor, and which of them is shown. */
export class EditorFiles {
  readonly #model: WorkspaceModel;
  #opened: readonly OpenFile[] = [];
  current = $state.raw<OpenFile | null>(null);
  /** Path that was asked for last: the tree marks it while it is still being read. */
  wanted = $state<string | null>(null);
  problem = $state.raw<{ message: string; hint: string } | null>(null);
  /** Set by the editor: how to show a text that came from the sandbox in the file on the screen. */
  show: ((text: string) => void) | null = null;

  constructor(model: WorkspaceModel) {
    this.#model = model;
  }

  /** Shows a file, reading it if it is not open. Never rejects: `problem` says why there is none. */
  async open(path: string): Promise<void> {
    this.wanted = path;
    this.#model.storage.setItem(this.#key, path);
    const before = this.current;
    if (before !== null && before.path !== path) void before.document.flush();
    try {
      const file = this.#find(path) ?? (await this.#read(path));
      // Another file may have been asked for while this one was read.
      if (this.wanted !== path) return;
      this.problem = null;
      this.current = file;
    } catch (error) {
      if (this.wanted !== path) return;
      this.current = null;
      this.problem =
        error instanceof NotTextError
          ? { message: 'This file is not text.', hint: 'Look at it in the terminal.' }
          : explain(error);
    }
  }

  /** Opens the file of the last visit, or the Dockerfile, or the first there is. */
  openFirst(paths: readonly string[]): void {
    const wishes = [this.#model.storage.getItem(this.#key), 'Dockerfile', paths[0]];
    const path = wishes.find((wish) => typeof wish === 'string' && paths.includes(wish));
    if (typeof path === 'string') void this.open(path);
  }

  /** Makes an empty file and shows it. Rejects as the API does. */
  async create(path: string): Promise<void> {
    await this.#model.api.writeFile(this.#model.sessionId, path, '', 'new');
    await this.#model.refreshFiles();
    await this.open(path);
  }

  /** Deletes a file in the sandbox. Rejects as the API does. */
  async remove(path: string): Promise<void> {
    await this.#model.api.deleteFile(this.#model.sessionId, path);
    this.close(path);
    await this.#model.refreshFiles();
  }

  /** Forgets an open file without saving it. */
  close(path: string): void {
    this.#find(path)?.document.dispose();
    this.#opened = this.#opened.filter((file) => file.path !== path);
    if (this.wanted !== path) return;
    this.wanted = null;
    this.current = null;
    this.problem = null;
  }

  /** The sandbox says that these files changed; none named means that any may have. */
  changed(paths: readonly string[]): void {
    for (const file of this.#opened) {
      if (paths.length === 0 || paths.includes(file.path)) void file.document.changedOutside();
    }
  }

  /** Saves everything now: the page may be about to go. */
  flush(): void {
    for (const file of this.#opened) void file.document.flush();
  }

  /** Saves what is left and stops. */
  dispose(): void {
    this.flush();
    for (const file of this.#opened) file.document.dispose();
  }

  get #key(): string {
    return `ballast.file.${this.#model.lab.id}`;
  }

  #find(path: string): OpenFile | undefined {
    return this.#opened.find((file) => file.path === path);
  }

  async #read(path: string): Promise<OpenFile> {
    const { api, sessionId } = this.#model;
    const { text, version } = await api.readFile(sessionId, path);
    if (text === undefined) throw new NotTextError();
    const document = new FileDocument({
      text,
      version,
      read: () => api.readFile(sessionId, path),
      write: (next, condition) => api.writeFile(sessionId, path, next, condition),
      onReplace: (next) => {
        if (this.current === file && this.show !== null) this.show(next);
        else file.state = file.state.update(replaceText(file.state, next)).state;
      },
    });
    const file = new OpenFile(
      path,
      document,
      fileState(path, text, (next) => {
        document.edit(next);
      }),
    );
    this.#opened = [...this.#opened, file];
    return file;
  }
}

/** The file holds something else than text. */
class NotTextError extends Error {
  override readonly name = 'NotTextError';
}
