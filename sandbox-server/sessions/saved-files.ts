import { randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import type { Logger } from 'pino';
import { BallastError } from '../protocol/index.ts';
import type { SavedFilesKey, SavedFilesStore } from '../store/saved-files-store.ts';
import type { Session } from './session.ts';

const saveTimeoutMs = 60_000;
const dayMs = 24 * 3_600_000;

/** Refuses what is over the limit, before it has been kept. */
function limited(maxBytes: number): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > maxBytes) done(new BallastError('too_large', { message: 'The files are too large to be kept.' }));
      else done(null, chunk);
    },
  });
}

export interface SavedFilesOptions {
  /** Folder for the archives; made when needed. */
  readonly folder: string;
  readonly store: SavedFilesStore;
  /** Most bytes of one learner's files of one lab, before compression. */
  readonly maxBytes: number;
  /** How long they are kept. */
  readonly days: number;
  readonly logger: Logger;
}

/** Learners' files of sessions that have ended, kept for the next session of that lab in the same browser. */
export class SavedFiles {
  readonly #options: SavedFilesOptions;

  constructor(options: SavedFilesOptions) {
    this.#options = options;
  }

  /**
   * Keeps the lab folder of a session, in place of what was kept before.
   * @returns whether it could; what it could not is logged
   */
  async keep(session: Session): Promise<boolean> {
    const { folder, store, maxBytes, logger } = this.#options;
    const key = keyOf(session);
    if (key === null) return false;
    const file = `${randomBytes(16).toString('hex')}.tar.gz`;
    const path = join(folder, file);
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const { shell, labDir } = session.use();
      // As the learner, within the sandbox: links are kept as links, and nothing outside is read.
      const archive = await shell.stream(['/usr/bin/tar', '-c', '-f', '-', '-C', labDir, '.'], {
        timeoutMs: saveTimeoutMs,
      });
      await pipeline(
        archive,
        limited(maxBytes),
        createGzip({ level: 3 }),
        createWriteStream(`${path}.part`, { mode: 0o600 }),
      );
      await rename(`${path}.part`, path);
      const before = store.find(key);
      store.save({ ...key, file, savedAt: new Date() });
      if (before !== null) await rm(join(folder, before.file), { force: true });
      return true;
    } catch (error) {
      await rm(`${path}.part`, { force: true });
      await rm(path, { force: true });
      logger.error({ err: error, session: session.id }, 'files of an ended session could not be kept');
      return false;
    }
  }

  /** The tar that was kept for this session's owner and lab; null when there is none. */
  open(session: Session): Readable | null {
    const key = keyOf(session);
    const found = key === null ? null : this.#options.store.find(key);
    if (found === null) return null;
    const source = createReadStream(join(this.#options.folder, found.file));
    const archive = createGunzip();
    source.on('error', (error) => archive.destroy(error));
    return source.pipe(archive);
  }

  /** Forgets what was kept for this session's owner and lab: they started over, or ended the session themselves. */
  async forget(session: Session): Promise<void> {
    const key = keyOf(session);
    const found = key === null ? null : this.#options.store.find(key);
    if (key === null || found === null) return;
    this.#options.store.remove(key);
    await rm(join(this.#options.folder, found.file), { force: true });
  }

  /** Removes what is too old, and files that nothing refers to. */
  async tidy(): Promise<void> {
    const { folder, store, days } = this.#options;
    const names = new Set<string>(await readdir(folder).catch(() => []));
    for (const record of store.list()) {
      if (Date.now() - record.savedAt.getTime() > days * dayMs) store.remove(record);
      else names.delete(record.file);
    }
    // One that is being written now is not referred to yet.
    for (const name of names) if (!name.endsWith('.part')) await rm(join(folder, name), { force: true });
  }
}

function keyOf({ ownerHash, lab }: Session): SavedFilesKey | null {
  return ownerHash === null ? null : { ownerHash, lab: lab.id };
}
