import { BallastError } from '../../sandbox-server/protocol/index.ts';
import { explain, type FileContent, type SaveCondition } from './api.ts';
import { Store, type Readable } from './store.ts';

export type SaveState =
  | { readonly kind: 'saved' }
  | { readonly kind: 'unsaved' }
  | { readonly kind: 'saving' }
  | { readonly kind: 'failed'; readonly message: string; readonly hint: string }
  /** The file changed in the sandbox while there were unsaved edits here. */
  | { readonly kind: 'conflict' }
  /** The file is no longer in the sandbox. */
  | { readonly kind: 'deleted' };

export interface DocumentOptions {
  readonly text: string;
  readonly version: string;
  read(): Promise<FileContent>;
  /** Gives the new version; rejects with file_changed when the condition does not hold. */
  write(text: string, condition: SaveCondition): Promise<string>;
  /** The sandbox has another text than the editor: show it. */
  onReplace(text: string): void;
  /** Pause in typing before a save, in ms. */
  readonly delayMs?: number;
}

/**
 * One open file: saves itself after a pause in typing, takes in changes made in the terminal,
 * and never overwrites what it has not seen.
 */
export class FileDocument {
  readonly #options: DocumentOptions;
  readonly #save = new Store<SaveState>({ kind: 'saved' });
  #text: string;
  #savedText: string;
  #version: string;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Reads and writes one after another: a save and a change in the terminal must not overtake each other. */
  #queue: Promise<void> = Promise.resolve();

  constructor(options: DocumentOptions) {
    this.#options = options;
    this.#text = options.text;
    this.#savedText = options.text;
    this.#version = options.version;
  }

  get save(): Readable<SaveState> {
    return this.#save;
  }

  get text(): string {
    return this.#text;
  }

  /** The learner typed: `text` is the whole file now. */
  edit(text: string): void {
    this.#text = text;
    clearTimeout(this.#timer);
    if (this.#blocked()) return;
    if (text === this.#savedText && this.#save.value.kind !== 'saving') {
      this.#save.set({ kind: 'saved' });
      return;
    }
    this.#save.set({ kind: 'unsaved' });
    this.#timer = setTimeout(() => void this.flush(), this.#options.delayMs ?? 600);
  }

  /** Saves now what is not saved, and waits for it. Never rejects: `save` says how it went. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    return this.#enqueue(async () => {
      if (!this.#blocked() && this.#text !== this.#savedText) await this.#write({ version: this.#version });
    });
  }

  /** The sandbox says that the file may have changed. Never rejects. */
  changedOutside(): Promise<void> {
    return this.#enqueue(async () => {
      let found: FileContent;
      try {
        found = await this.#options.read();
      } catch (error) {
        // Editors save by replacing the file, so it may be back in a moment, with another event.
        if (isCode(error, 'file_not_found')) this.#halt({ kind: 'deleted' });
        return;
      }
      if (found.version === this.#version) {
        if (this.#save.value.kind === 'deleted') this.#save.set({ kind: 'saved' });
        return;
      }
      if (found.text === undefined) return;
      if (this.#text === this.#savedText || this.#text === found.text) this.#take(found.text, found.version);
      else this.#halt({ kind: 'conflict' });
    });
  }

  /** Ends a conflict or a deletion: with the sandbox's text, or with ours written over it. */
  resolve(choice: 'reload' | 'keep'): Promise<void> {
    return this.#enqueue(async () => {
      if (choice === 'keep') {
        await this.#write('any');
        return;
      }
      try {
        const { text, version } = await this.#options.read();
        if (text !== undefined) this.#take(text, version);
      } catch (error) {
        this.#save.set({ kind: 'failed', ...explain(error) });
      }
    });
  }

  /** Stops the timer; call `flush` first to keep the last edits. */
  dispose(): void {
    clearTimeout(this.#timer);
  }

  async #write(condition: SaveCondition): Promise<void> {
    const text = this.#text;
    this.#save.set({ kind: 'saving' });
    try {
      this.#version = await this.#options.write(text, condition);
    } catch (error) {
      if (isCode(error, 'file_changed')) this.#halt({ kind: 'conflict' });
      else this.#save.set({ kind: 'failed', ...explain(error) });
      return;
    }
    this.#savedText = text;
    // Typed on meanwhile: the timer that `edit` set will save that too.
    this.#save.set({ kind: this.#text === text ? 'saved' : 'unsaved' });
  }

  #take(text: string, version: string): void {
    clearTimeout(this.#timer);
    const changed = text !== this.#text;
    this.#text = text;
    this.#savedText = text;
    this.#version = version;
    this.#save.set({ kind: 'saved' });
    if (changed) this.#options.onReplace(text);
  }

  #halt(state: SaveState): void {
    clearTimeout(this.#timer);
    this.#save.set(state);
  }

  /** Waiting for the learner to choose: nothing is saved meanwhile. */
  #blocked(): boolean {
    const { kind } = this.#save.value;
    return kind === 'conflict' || kind === 'deleted';
  }

  #enqueue(work: () => Promise<void>): Promise<void> {
    this.#queue = this.#queue.then(work);
    return this.#queue;
  }
}

function isCode(error: unknown, code: BallastError['code']): boolean {
  return error instanceof BallastError && error.code === code;
}
