/**
 * Takes node_modules out of a kit. Plain JavaScript with nothing but Node's own modules: it must run on Node 20, before
 * anything is installed.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { KitError, partStream, readKit, verifyKit } from './kit-file.mjs';

const part = 'node_modules.tar.gz';
const everyMs = 5000;

const damaged = (file, what) =>
  new KitError('kit_damaged', `${file} is damaged: ${what}.`, 'Copy the kit again, or export it again.');

/** What the file system says of a kit that cannot be opened, for people. */
async function open(file) {
  try {
    return await readKit(file);
  } catch (error) {
    if (error instanceof KitError || error.code === undefined) throw error;
    throw new KitError('bad_request', `${file} cannot be read (${error.code}).`, 'Name another file.');
  }
}

async function assertRoom(folder, needed) {
  const { bavail, bsize } = await statfs(folder);
  const megabytes = (bytes) => `${Math.round(bytes / 1e6)} MB`;
  if (bavail * bsize < needed)
    throw new KitError(
      'disk_full',
      `Only ${megabytes(bavail * bsize)} are free for ${folder}; the dependencies need ${megabytes(needed)}.`,
      'Free some space, then try again. Nothing was changed.',
    );
}

/** Unpack with the system's tar, which keeps what it writes inside the folder it is told. */
async function unpack(kit, unpackedBytes, folder) {
  // The owners of another machine mean nothing here.
  const tar = spawn('tar', ['-x', '-f', '-', '--no-same-owner', '-C', folder], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const ended = new Promise((resolve, reject) => {
    tar.once('error', reject);
    tar.once('close', resolve);
  });
  const sum = createHash('sha256');
  const packed = new Transform({
    transform(chunk, _encoding, done) {
      sum.update(chunk);
      done(null, chunk);
    },
  });
  let bytes = 0;
  const meter = new Transform({
    transform(chunk, _encoding, done) {
      bytes += chunk.length;
      if (bytes > unpackedBytes) done(damaged(kit.file, `${part} unpacks to more than the kit says`));
      else done(null, chunk);
    },
  });
  const [fed, code] = await Promise.allSettled([
    pipeline(partStream(kit, part), packed, createGunzip(), meter, tar.stdin),
    ended,
  ]);
  if (code.status === 'rejected')
    throw new KitError('setup_failed', `tar could not be run: ${code.reason.message}`, 'Install tar, then try again.');
  if (fed.status === 'rejected' && fed.reason instanceof KitError) throw fed.reason;
  if (fed.status === 'rejected' || code.value !== 0)
    throw new KitError('setup_failed', `tar ended with exit code ${code.value}.`, 'See the lines above.');
  if (sum.digest('hex') !== kit.parts.find(({ name }) => name === part).sha256)
    throw damaged(kit.file, `${part} changed while it was read`);
}

/** Whether the Node in there runs on this machine: it may want another C library. */
function runs(folder) {
  const node = join(folder, 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  return new Promise((resolve) => {
    const child = spawn(node, ['--version'], { stdio: 'ignore' });
    child.once('error', () => resolve(false));
    child.once('exit', (code) => resolve(code === 0));
  });
}

/**
 * Put node_modules out of a kit in its place, once the whole kit has been verified.
 * @param {string} file
 * @param {{ modules: string, wanted: { machine: string, digest: string } }} options where to, and for what
 * @throws KitError with the code of Ballast's error table
 */
export async function bringDependencies(file, { modules, wanted }) {
  const kit = await open(file);
  const { dependencies, ballast, parts } = kit.manifest;
  if (dependencies?.digest !== wanted.digest) {
    const other = dependencies?.machine !== wanted.machine;
    throw new KitError(
      'kit_mismatch',
      other
        ? `${file} is for ${dependencies?.machine} machines; this one is ${wanted.machine}.`
        : `${file} was exported by Ballast ${ballast} from other sources than these: package-lock.json differs.`,
      other
        ? 'Export a kit on a machine like this one.'
        : 'Put the project files of the machine that exported it here, or export it again.',
    );
  }
  let shown = Date.now();
  await verifyKit(kit, (bytes) => {
    if (Date.now() - shown < everyMs) return;
    shown = Date.now();
    console.error(`Checking the kit: ${Math.round(bytes / 1e6)} of ${Math.round(kit.size / 1e6)} MB …`);
  });
  const { unpackedBytes } = parts.find(({ name }) => name === part);
  await assertRoom(dirname(modules), unpackedBytes);
  console.error(`Unpacking the dependencies (${Math.round(unpackedBytes / 1e6)} MB) …`);
  const folder = `${modules}.importing`;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
  try {
    await unpack(kit, unpackedBytes, folder);
    if (!existsSync(join(folder, 'node')) || !(await runs(folder)))
      throw new KitError(
        'kit_mismatch',
        `The Node.js in ${file} does not run on this machine.`,
        'Export a kit on a machine like this one (the same processor and C library).',
      );
    await rm(modules, { recursive: true, force: true });
    await rename(folder, modules);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
