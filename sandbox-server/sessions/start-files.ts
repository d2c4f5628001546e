import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack, type Pack } from 'tar-stream';
import { createEngineShell } from '../checks/engine-shell.ts';
import type { Engine } from '../engines/engine.ts';
import { BallastError } from '../protocol/index.ts';

/**
 * Unpacked beside its place and then renamed, so that a lab folder is there whole or not at all. `$1` is the folder.
 * A folder that is there already is the learner's work: it stays.
 */
const unpackScript = `
set -eu
if [ -e "$1" ]; then cat >/dev/null; exit 0; fi
staging=$(mktemp -d -- "$1.XXXXXXXX")
trap 'rm -rf -- "$staging"' EXIT
tar -x -f - -C "$staging" --no-same-owner
chmod 755 -- "$staging"
mv -T -- "$staging" "$1"
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

/**
 * Gives the learner the files of the lab, unless the lab folder is there already.
 * @param startDir folder on the server
 * @param labDir absolute path in the sandbox
 * @throws BallastError sandbox_failed
 */
export async function copyStartFiles(
  engine: Engine,
  sandboxId: string,
  startDir: string,
  labDir: string,
  signal: AbortSignal,
): Promise<void> {
  const result = await createEngineShell(engine, sandboxId).run(
    ['/bin/bash', '-c', unpackScript, 'ballast-start-files', labDir],
    {
      stdin: packFolder(startDir),
      cwd: '/home/learner',
      signal,
    },
  );
  if (result.exitCode !== 0) {
    throw new BallastError('sandbox_failed', {
      message: `The files of the lab could not be copied: ${result.stderr.trim().slice(0, 500)}`,
    });
  }
}
