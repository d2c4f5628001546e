import { lstat, readFile, readdir, readlink } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { Readable } from 'node:stream';
import { extract, pack } from 'tar-stream';
import { plainText } from '../checks/plain-text.ts';
import { hasBody, isSized } from '../images/untar.ts';
import { BallastError } from '../protocol/index.ts';
import { confineLinks } from './confine-links.ts';
import { openTar } from './open-tar.ts';
import type { Submission, SubmittedFile } from './submitted-file.ts';

export type { Submission } from './submitted-file.ts';

export interface SubmissionLimits {
  /** Bytes of all files together. */
  readonly bytes: number;
  readonly entries: number;
}

export const defaultSubmissionLimits: SubmissionLimits = { bytes: 20 * 1024 ** 2, entries: 2000 };

/** What never counts as part of an answer, and may be huge. */
const ignoredFolders: ReadonlySet<string> = new Set(['.git', 'node_modules']);

/**
 * Read a submission from a folder on this machine.
 * @throws BallastError bad_request when it is no folder, bad_path for a link out of it, too_large past the limits.
 */
export async function readSubmissionFolder(dir: string, limits = defaultSubmissionLimits): Promise<Submission> {
  const collector = new Collector(limits);
  const visit = async (folder: string, prefix: string): Promise<void> => {
    for (const name of (await readdir(folder)).sort()) {
      const path = `${prefix}${name}`;
      const file = join(folder, name);
      const stats = await lstat(file);
      if (stats.isDirectory()) {
        if (ignoredFolders.has(name)) continue;
        collector.add({ path, type: 'directory' });
        await visit(file, `${path}/`);
      } else if (stats.isSymbolicLink()) {
        collector.add({ path, type: 'symlink', target: await readlink(file) });
      } else if (stats.isFile()) {
        collector.reserve(stats.size);
        collector.add({ path, type: 'file', executable: (stats.mode & 0o100) !== 0, content: await readFile(file) });
      }
    }
  };
  const stats = await lstat(dir).catch(() => undefined);
  if (stats?.isDirectory() !== true) {
    throw new BallastError('bad_request', {
      message: `${dir} is not a folder.`,
      hint: 'Name the lab folder with your files in it.',
    });
  }
  await visit(dir, '');
  confineLinks(collector.files);
  return collector.files;
}

/**
 * Read a submission from a tar, gzipped or not. Nothing is written to this machine.
 * @throws BallastError bad_request when it is no tar, bad_path for a path or link out of it, too_large past the limits.
 */
export async function readSubmissionTar(source: Readable, limits = defaultSubmissionLimits): Promise<Submission> {
  const collector = new Collector(limits);
  const tar = openTar(source);
  const unpacker = extract();
  tar.on('error', (error) => {
    unpacker.destroy(error);
  });
  let received = 0;
  // A tar that holds little but goes on for ever is cut off as well.
  const most = limits.bytes + limits.entries * 4096;
  tar.on('data', (chunk: Uint8Array) => {
    received += chunk.byteLength;
    if (received > most) tar.destroy(new BallastError('too_large'));
  });
  try {
    tar.pipe(unpacker);
    for await (const entry of unpacker) {
      const { name, type, size, mode, linkname } = entry.header;
      if (!isSized(entry.header)) throw new Error('an entry in it has no size');
      const path = cleanPath(name);
      if (type === 'file' || type === 'contiguous-file') collector.reserve(size);
      const chunks: Uint8Array[] = [];
      if (hasBody(entry.header)) for await (const chunk of entry as AsyncIterable<Uint8Array>) chunks.push(chunk);
      else entry.resume();
      if (path === '' || path.split('/').some((part) => ignoredFolders.has(part))) continue;
      if (type === 'directory') collector.add({ path, type });
      else if (type === 'symlink') collector.add({ path, type, target: linkname });
      else if (type === 'file' || type === 'contiguous-file') {
        collector.add({ path, type: 'file', executable: (mode & 0o100) !== 0, content: Buffer.concat(chunks) });
      } else {
        throw new BallastError('bad_path', {
          message: `${plainText(path, 200)} is a ${type}: a submission is of files, folders and links.`,
        });
      }
    }
    confineLinks(collector.files);
  } catch (cause) {
    tar.destroy();
    source.destroy();
    if (cause instanceof BallastError) throw cause;
    throw new BallastError('bad_request', {
      message: `The submission is not a tar: ${plainText((cause as Error).message, 200)}`,
      cause,
    });
  }
  if (collector.files.size === 0) throw new BallastError('bad_request', { message: 'The submission is empty.' });
  return collector.files;
}

/** A submission with files of another laid over it, and some taken away. */
export function overlay(base: Submission, over: Submission, remove: readonly string[] = []): Submission {
  const merged = new Map([...base, ...over]);
  for (const path of remove) merged.delete(path);
  return merged;
}

/** A tar of the files, as the learner's own. */
export function packSubmission(files: Submission): Readable {
  const archive = pack();
  for (const file of files.values()) {
    if (file.type === 'file')
      archive.entry({ name: file.path, mode: file.executable ? 0o755 : 0o644 }, Buffer.from(file.content));
    else if (file.type === 'directory') archive.entry({ name: file.path, type: 'directory', mode: 0o755 });
    else archive.entry({ name: file.path, type: 'symlink', linkname: file.target });
  }
  archive.finalize();
  return Readable.from(archive, { objectMode: false });
}

class Collector {
  readonly files = new Map<string, SubmittedFile>();
  readonly #limits: SubmissionLimits;
  #bytes = 0;

  constructor(limits: SubmissionLimits) {
    this.#limits = limits;
  }

  /** Count bytes before they are read. */
  reserve(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#limits.bytes) {
      const most = String(Math.round(this.#limits.bytes / 1024 ** 2));
      throw new BallastError('too_large', {
        message: `The submission is larger than ${most} MiB.`,
        hint: 'Submit the lab folder alone, without what was built.',
      });
    }
  }

  add(file: SubmittedFile): void {
    if (this.files.size >= this.#limits.entries) {
      throw new BallastError('too_large', {
        message: `The submission has more than ${String(this.#limits.entries)} files.`,
        hint: 'Submit the lab folder alone.',
      });
    }
    this.files.set(file.path, file);
  }
}

function cleanPath(name: string): string {
  const path = posix.normalize(name).replace(/^\.\//, '').replace(/\/$/, '');
  if (path === '.') return '';
  if (path.startsWith('/') || path === '..' || path.startsWith('../') || path.includes('\0')) {
    throw new BallastError('bad_path', { message: 'A path in the submission leads out of it.' });
  }
  return path;
}
