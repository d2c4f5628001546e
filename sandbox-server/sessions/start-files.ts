import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { pack, type Pack } from 'tar-stream';
import type { Engine, RunningExec } from '../engines/engine.ts';
import { BallastError } from '../protocol/index.ts';

const copyTimeoutMs = 60_000;

/**
 * Unpacked beside its place and then renamed, so that a lab folder is there whole or not at all. The first line of the
 * input names the folder, a tar follows: so the program can be started before anybody knows which lab it will be.
 * A folder that is there already is the learner's work: it stays.
 */
const unpackScript = `
set -eu
IFS= read -r folder
if [ -e "$folder" ]; then cat >/dev/null; exit 0; fi
staging=$(mktemp -d -- "$folder.XXXXXXXX")
trap 'rm -rf -- "$staging"' EXIT
tar -x -f - -C "$staging" --no-same-owner
chmod 755 -- "$staging"
mv -T -- "$staging" "$folder"
`;

async function addFolder(archive: Pack, folder: string, prefix: string): Promise<void> {
  const names = (await readdir(folder)).sort();
  for (const name of names) {
    const path = join(folder, name);
    const stat = await lstat(path);
    const header = { name: prefix + name, mtime: stat.mtime };
    if (stat.isDirectory()) {
      archive.entry({ ...header, type: 'directory', mode: 0o755 });
      await addFolder(archive, path, `${header.name}/`);
    } else if (stat.isSymbolicLink()) {
      archive.entry({ ...header, type: 'symlink', linkname: await readlink(path) });
    } else if (stat.isFile()) {
      const mode = (stat.mode & 0o100) === 0 ? 0o644 : 0o755;
      await pipeline(createReadStream(path), archive.entry({ ...header, mode, size: stat.size }));
    }
  }
}

/** A tar of what is in a folder of the server. Errors come out of the stream. */
export function packFolder(folder: string): Readable {
  const archive = pack();
  addFolder(archive, folder, '').then(
    () => {
      archive.finalize();
    },
    (error: unknown) => {
      archive.destroy(error instanceof Error ? error : new Error(String(error)));
    },
  );
  return Readable.from(archive, { objectMode: false });
}

/** A program in a sandbox that waits for the files of a lab. */
export type Unpacker = RunningExec;

/** Starts the program that takes the files of a lab; it waits for them as long as need be. */
export async function openUnpacker(engine: Engine, sandboxId: string): Promise<Unpacker> {
  return engine.exec(sandboxId, {
    argv: ['/bin/bash', '-c', unpackScript, 'ballast-start-files'],
    user: 'learner',
    cwd: '/home/learner',
  });
}

/**
 * Gives the learner the files of the lab, unless the lab folder is there already.
 * @param unpacker as `openUnpacker` gave it; it ends
 * @param files a tar
 * @param labDir absolute path in the sandbox
 * @throws BallastError sandbox_failed; the reason of `signal`
 */
export async function copyFiles(
  unpacker: Unpacker,
  files: Readable,
  labDir: string,
  signal: AbortSignal,
): Promise<void> {
  const abandon = (): void => {
    unpacker.destroy();
  };
  const late = setTimeout(abandon, copyTimeoutMs);
  signal.addEventListener('abort', abandon, { once: true });
  try {
    signal.throwIfAborted();
    unpacker.stdout.resume();
    unpacker.stdin.write(`${labDir}\n`);
    const [complaint] = await Promise.all([text(unpacker.stderr), pipeline(files, unpacker.stdin)]);
    const exitCode = await unpacker.exitCode();
    if (exitCode !== 0) throw new Error(complaint.trim().slice(0, 500));
  } catch (cause) {
    signal.throwIfAborted();
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new BallastError('sandbox_failed', { message: `The files of the lab could not be copied: ${reason}`, cause });
  } finally {
    clearTimeout(late);
    signal.removeEventListener('abort', abandon);
    unpacker.destroy();
  }
}
