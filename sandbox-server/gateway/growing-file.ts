import { open, type FileHandle } from 'node:fs/promises';

const readBytes = 64 * 1024;

/** A file that is read by many while it is still being written. */
export class GrowingFile {
  readonly #writer: FileHandle;
  #path: string;
  #size = 0;
  #state: 'growing' | 'whole' | { readonly error: unknown } = 'growing';
  #changed = Promise.withResolvers<undefined>();
  #readers = 0;
  readonly #onAbandoned: () => void;

  private constructor(writer: FileHandle, path: string, onAbandoned: () => void) {
    this.#writer = writer;
    this.#path = path;
    this.#onAbandoned = onAbandoned;
  }

  /** @param onAbandoned called when the last reader has left before the file is whole */
  static async create(path: string, onAbandoned: () => void): Promise<GrowingFile> {
    return new GrowingFile(await open(path, 'wx', 0o600), path, onAbandoned);
  }

  get size(): number {
    return this.#size;
  }

  async append(chunk: Buffer): Promise<void> {
    await this.#writer.writeFile(chunk);
    this.#size += chunk.length;
    this.#tell();
  }

  /** @param settle moves the file to where it stays; returns where that is */
  async finish(settle: () => Promise<string>): Promise<void> {
    await this.#writer.close();
    this.#path = await settle();
    this.#state = 'whole';
    this.#tell();
  }

  async fail(error: unknown): Promise<void> {
    this.#state = { error };
    this.#tell();
    await this.#writer.close().catch(() => undefined);
  }

  #tell(): void {
    this.#changed.resolve(undefined);
    this.#changed = Promise.withResolvers();
  }

  /** The whole contents, as they come. @throws what the writer failed with */
  async *read(): AsyncGenerator<Buffer> {
    this.#readers += 1;
    const reader = await open(this.#path, 'r');
    try {
      let at = 0;
      for (;;) {
        const { size: known, changed } = { size: this.#size, changed: this.#changed.promise };
        while (at < known) {
          const buffer = Buffer.allocUnsafe(Math.min(readBytes, known - at));
          const { bytesRead } = await reader.read(buffer, 0, buffer.length, at);
          if (bytesRead === 0) throw new Error('a file of the cache was cut');
          at += bytesRead;
          yield buffer.subarray(0, bytesRead);
        }
        if (typeof this.#state === 'object') throw this.#state.error;
        if (this.#state === 'whole' && at >= this.#size) return;
        if (at >= this.#size) await changed;
      }
    } finally {
      this.#readers -= 1;
      await reader.close();
      if (this.#readers === 0 && this.#state === 'growing') this.#onAbandoned();
    }
  }
}
