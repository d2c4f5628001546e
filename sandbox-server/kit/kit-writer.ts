import { createHash } from 'node:crypto';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import {
  encodeHeader,
  firstMember,
  kitFormat,
  manifestMember,
  paddingOf,
  readKit,
  sumMember,
  type KitFile,
} from '../../bin/kit-file.mjs';

const block = 512;

/** What the manifest says of one part's bytes in the file. */
export interface WrittenPart {
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
}

/** Writes a kit part by part; until `finish`, under another name than the kit's. */
export class KitWriter implements AsyncDisposable {
  readonly #file: string;
  readonly #partial: string;
  readonly #handle: FileHandle;
  #at = 0;
  #finished = false;

  private constructor(file: string, partial: string, handle: FileHandle) {
    this.#file = file;
    this.#partial = partial;
    this.#handle = handle;
  }

  /** @throws what the file system says where the file cannot be written. */
  static async create(file: string): Promise<KitWriter> {
    const partial = `${file}.partial`;
    const writer = new KitWriter(file, partial, await open(partial, 'w'));
    await writer.#addText(firstMember, kitFormat);
    return writer;
  }

  async #append(bytes: Uint8Array): Promise<void> {
    for (let from = 0; from < bytes.length;) {
      const { bytesWritten } = await this.#handle.write(bytes, from, bytes.length - from, this.#at);
      from += bytesWritten;
      this.#at += bytesWritten;
    }
  }

  async #addText(name: string, text: string): Promise<void> {
    const bytes = Buffer.from(text);
    await this.#append(Buffer.concat([encodeHeader(name, bytes.length), bytes]));
    await this.#append(Buffer.alloc(paddingOf(bytes.length)));
  }

  /** Write a part from a stream of whatever length: its header, which tells the length, is written after it. */
  async addPart(name: string, source: Readable): Promise<WrittenPart> {
    const header = this.#at;
    const sum = createHash('sha256');
    await this.#append(Buffer.alloc(block));
    for await (const chunk of source as AsyncIterable<Buffer>) {
      sum.update(chunk);
      await this.#append(chunk);
    }
    const size = this.#at - header - block;
    await this.#append(Buffer.alloc(paddingOf(size)));
    await this.#handle.write(encodeHeader(name, size), 0, block, header);
    return { name, size, sha256: sum.digest('hex') };
  }

  /**
   * Write what the kit says of itself and have all on the disk; the file gets its name when it has been read again.
   * @param verify called with the kit that was written; what it throws keeps the file from getting its name
   */
  async finish(manifest: object, verify: (kit: KitFile) => Promise<void>): Promise<void> {
    const text = `${JSON.stringify(manifest, null, 2)}\n`;
    await this.#addText(manifestMember, text);
    const sum = createHash('sha256').update(text).digest('hex');
    await this.#addText(sumMember, `${sum}  ${manifestMember}\n`);
    await this.#append(Buffer.alloc(2 * block));
    await this.#handle.sync();
    await this.#handle.close();
    await verify(await readKit(this.#partial));
    await rename(this.#partial, this.#file);
    this.#finished = true;
  }

  /** Removes what was written unless it was finished. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#finished) return;
    await this.#handle.close().catch(() => undefined);
    await rm(this.#partial, { force: true });
  }
}
