import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parseManifest, type StoreManifest } from '../base-images/manifest.ts';
import { Seeder } from '../base-images/seeder.ts';
import type { Engine, SandboxSpec } from '../engines/engine.ts';
import { BallastError } from '../protocol/index.ts';
import { KitError } from '../../bin/kit-file.mjs';

const storeDir = '/var/lib/ballast/store';
const mebibyte = 1024 ** 2;
/** Root of a user namespace with all ids that the layers' files have: what sandboxes and the seeder map too. */
const asLayersRoot = ['/usr/bin/unshare', '--user', '--map-root-user', '--map-auto'];
/** Layers have capabilities of files and opaque folders as extended attributes, deleted files as devices. */
const tarOptions = ['--xattrs', '--xattrs-include=*', '--numeric-owner'];
/** The new store takes its place by renames; its manifest comes last, since that is what makes it a store. */
const seal = `set -eu
cd "$1"
mv incoming/manifest.json manifest.json.part
mv incoming/* .
rmdir incoming
sync -f .
mv manifest.json.part manifest.json`;

export interface CarrierOptions {
  /** Reference of the sandbox image. */
  readonly image: string;
  readonly volume: string;
  /** Server id, for the label ballast.host. */
  readonly host: string;
  readonly signal: AbortSignal;
}

async function withCarrier<Result>(
  engine: Engine,
  kind: 'exporter' | 'importer',
  options: CarrierOptions,
  use: (carrier: Seeder, id: string) => Promise<Result>,
): Promise<Result> {
  const { image, volume, host } = options;
  const { cpus } = await engine.info();
  const spec: SandboxSpec = {
    session: `${kind}${randomBytes(8).toString('hex')}`,
    kind,
    host,
    image,
    storeVolume: volume,
    limits: { memoryBytes: 1024 * mebibyte, cpus, pids: 64 },
    network: 'none',
    hostname: kind,
    env: {},
  };
  const id = await engine.createSandbox(spec);
  try {
    const carrier = new Seeder(engine, id);
    await carrier.holdLease();
    return await use(carrier, id);
  } finally {
    await engine.removeSandbox(id);
  }
}

/** Read a sealed store as a tar, with the owners and attributes that its layers have. */
export async function exportStore(
  engine: Engine,
  options: CarrierOptions,
  write: (tar: Readable) => Promise<void>,
): Promise<void> {
  await withCarrier(engine, 'exporter', options, async (_carrier, id) => {
    const argv = [...asLayersRoot, '/usr/bin/tar', '--create', '--file=-', ...tarOptions, `--directory=${storeDir}`];
    const exec = await engine.exec(id, { argv: [...argv, '.'] });
    exec.stdin.end();
    const said: Buffer[] = [];
    exec.stderr.on('data', (chunk: Buffer) => said.push(chunk));
    await write(exec.stdout);
    const exitCode = await exec.exitCode();
    if (exitCode !== 0)
      throw new BallastError('setup_failed', {
        message: `The base images could not be read (tar: exit code ${exitCode}):\n${Buffer.concat(said).toString('utf8').slice(-2000)}`,
      });
  });
}

/**
 * Fill an empty volume from a tar that `exportStore` read. Until all of it is there, nobody takes it for a store.
 * @param expected what the store says of itself
 * @throws BallastError disk_full, setup_failed; KitError kit_damaged where it is not the store that it should be
 */
export async function importStore(
  engine: Engine,
  tar: Readable,
  expected: StoreManifest,
  options: CarrierOptions,
): Promise<void> {
  await withCarrier(engine, 'importer', options, async (carrier, id) => {
    await carrier.run(['/bin/mkdir', '-p', `${storeDir}/incoming`]);
    const argv = [...asLayersRoot, '/usr/bin/tar', '--extract', '--file=-', ...tarOptions, '--same-owner'];
    const exec = await engine.exec(id, {
      argv: [...argv, '--preserve-permissions', `--directory=${storeDir}/incoming`],
    });
    exec.stdout.resume();
    const said: Buffer[] = [];
    exec.stderr.on('data', (chunk: Buffer) => said.push(chunk));
    await pipeline(tar, exec.stdin, { signal: options.signal });
    const exitCode = await exec.exitCode();
    if (exitCode !== 0) {
      const words = Buffer.concat(said).toString('utf8').slice(-2000);
      throw new BallastError(/no space left on device/i.test(words) ? 'disk_full' : 'setup_failed', {
        message: `The base images could not be unpacked (tar: exit code ${exitCode}):\n${words}`,
      });
    }
    const manifest = parseManifest(await carrier.run(['/bin/cat', `${storeDir}/incoming/manifest.json`]));
    if (JSON.stringify(manifest) !== JSON.stringify(expected))
      throw new KitError(
        'kit_damaged',
        'The base images in the kit are not those that it lists.',
        'Do not use this kit: it was not made by "ballast kit export".',
      );
    await carrier.run(['/bin/sh', '-c', seal, 'sh', storeDir]);
  });
}
