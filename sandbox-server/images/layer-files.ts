import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { deserialize, serialize } from 'node:v8';
import { zstdCompress, zstdDecompress } from 'node:zlib';

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** Bytes on disk, all files together: about a hundred layers of the size of a Go toolchain. */
const defaultLimitBytes = 64 * 1024 ** 2;

/**
 * What is known of large layers, in a folder, so that a server that starts anew need not read base images again. Only
 * for values whose digest was checked. A version in each name is made from the sources that read layers, so that what
 * other sources have found is not taken up.
 */
export class LayerFiles {
  readonly #folder: string;
  readonly #limitBytes: number;
  readonly #version: string;

  constructor(folder: string, limitBytes = defaultLimitBytes, version = analysisVersion()) {
    this.#folder = folder;
    this.#limitBytes = limitBytes;
    this.#version = version;
    mkdirSync(folder, { recursive: true });
  }

  #path(kind: string, name: string): string {
    return join(this.#folder, `${createHash('sha256').update(`${kind}\0${name}`).digest('hex')}.${this.#version}`);
  }

  /** @returns what was kept, as it was; undefined when nothing was, or it is damaged */
  async get(kind: string, name: string): Promise<unknown> {
    const path = this.#path(kind, name);
    try {
      const value: unknown = deserialize(await decompress(await readFile(path)));
      // The last use decides what is thrown away first.
      await utimes(path, new Date(), new Date());
      return value;
    } catch {
      // Not there, cut short, of another Node: it is read from the image again.
      return undefined;
    }
  }

  /** Keep a value; of the values that are kept, those not used for longest go. Never rejects: it is a cache. */
  async set(kind: string, name: string, value: unknown): Promise<void> {
    const path = this.#path(kind, name);
    try {
      await mkdir(this.#folder, { recursive: true });
      await writeFile(`${path}.new`, await compress(serialize(value)));
      await rename(`${path}.new`, path);
      await this.#prune();
    } catch {
      // A full disk is no reason to fail a check.
      await rm(`${path}.new`, { force: true }).catch(() => undefined);
    }
  }

  async #prune(): Promise<void> {
    const names = await readdir(this.#folder);
    const files = await Promise.all(
      names.map(async (name) => {
        const { size, mtimeMs } = await stat(join(this.#folder, name));
        return { name, size, mtimeMs };
      }),
    );
    let room = this.#limitBytes;
    for (const { name, size } of files.toSorted((a, b) => b.mtimeMs - a.mtimeMs)) {
      room -= size;
      if (room < 0) await rm(join(this.#folder, name), { force: true });
    }
  }
}

/** A digest of the sources in this folder: of all that decides what is found in a layer. */
function analysisVersion(): string {
  const hash = createHash('sha256').update(process.version);
  for (const name of readdirSync(import.meta.dirname).toSorted()) {
    if (name.endsWith('.ts') && !name.endsWith('.test.ts')) hash.update(readFileSync(join(import.meta.dirname, name)));
  }
  return hash.digest('hex').slice(0, 12);
}
