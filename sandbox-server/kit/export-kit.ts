import { spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { verifyKit, type KitFile } from '../../bin/kit-file.mjs';
import { installedFor, neverPacked } from '../../bin/with-deps.mjs';
import type { StoreManifest } from '../base-images/manifest.ts';
import type { Engine, Progress } from '../engines/engine.ts';
import { formatBytes } from '../labs/quantities.ts';
import { BallastError } from '../protocol/index.ts';
import { siteState } from '../setup/build-site.ts';
import type { Stage } from '../setup/stages.ts';
import { runStages } from '../setup/stages.ts';
import { toKitError, type KitManifest } from './kit-manifest.ts';
import { KitWriter } from './kit-writer.ts';
import { packPart } from './part-streams.ts';
import { packSite } from './site-part.ts';
import { exportStore } from './store-part.ts';

export interface ExportOptions {
  /** The project's folder. */
  readonly root: string;
  readonly version: string;
  readonly engine: Engine;
  /** Reference of the sandbox image. */
  readonly image: string;
  readonly store: { readonly volume: string; readonly recipe: string; readonly manifest: StoreManifest };
  readonly hostId: string;
  readonly signal: AbortSignal;
}

/** Programs of the dependencies and what they remember of this machine's builds, as a tar. */
async function packDependencies(root: string, write: (tar: Readable) => Promise<void>): Promise<void> {
  const exclude = neverPacked.map((name) => `--exclude=./${name}`);
  const tar = spawn('tar', ['-c', '-f', '-', ...exclude, '-C', join(root, 'node_modules'), '.'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<number | null>((done, failed) => {
    tar.once('error', failed);
    tar.once('close', done);
  });
  const [wrote, code] = await Promise.allSettled([write(tar.stdout), ended]);
  if (wrote.status === 'rejected') throw wrote.reason;
  if (code.status === 'rejected' || code.value !== 0)
    throw new BallastError('setup_failed', {
      message: 'tar could not pack node_modules.',
      hint: 'Install tar, and try again.',
      cause: code.status === 'rejected' ? code.reason : undefined,
    });
}

/**
 * Pack all that `npm start` needs on a machine without a network into one file.
 * @param file where to; an older one of that name stays until the new one is whole
 * @returns the kit's bytes and its SHA-256
 * @throws BallastError disk_full, bad_request (a place that cannot be written to), setup_failed and the engine's own
 */
export async function exportKit(file: string, options: ExportOptions): Promise<{ size: number; sha256: string }> {
  const { root, engine, store, signal } = options;
  const path = resolve(file);
  try {
    await using writer = await KitWriter.create(path);
    const parts: KitManifest['parts'] = [];
    const site = await siteState(root);
    let verified = { size: 0, sha256: '' };

    const add = async (name: string, source: Readable, progress: Progress): Promise<void> => {
      const stop = (): void => {
        source.destroy(signal.reason as Error);
      };
      signal.addEventListener('abort', stop, { once: true });
      if (signal.aborted) stop();
      try {
        const { stream, unpackedBytes } = packPart(name, source, (bytes) => {
          progress({ text: `${formatBytes(bytes)} packed` });
        });
        const written = await writer.addPart(name, stream);
        parts.push({ ...written, unpackedBytes: unpackedBytes() });
      } finally {
        signal.removeEventListener('abort', stop);
      }
    };
    const said = (): string => {
      const { unpackedBytes = 0, size = 0 } = parts.at(-1) ?? {};
      return `${formatBytes(unpackedBytes)}, packed ${formatBytes(size)}`;
    };
    const part = (title: string, run: (progress: Progress) => Promise<void>): Stage => ({
      title,
      run: async (progress) => {
        await run(progress);
        return said();
      },
    });
    await runStages([
      part('Dependencies', (progress) => packDependencies(root, (tar) => add('node_modules.tar.gz', tar, progress))),
      part('Sandbox image', async (progress) =>
        add('sandbox-image.tar.zst', await engine.saveImage(options.image), progress),
      ),
      part('Base images', (progress) =>
        exportStore(engine, { image: options.image, volume: store.volume, host: options.hostId, signal }, (tar) =>
          add('base-images.tar.zst', tar, progress),
        ),
      ),
      part('Site', (progress) => add('site.tar.zst', packSite(site.siteDir), progress)),
      {
        title: 'Reading the kit again',
        run: async (progress) => {
          const { machine, digest } = installedFor();
          const manifest: KitManifest = {
            ballast: options.version,
            createdAt: new Date().toISOString(),
            architecture: (await engine.info()).architecture,
            dependencies: { machine, digest },
            sandboxImage: options.image,
            store: { recipe: store.recipe, manifest: store.manifest },
            site: site.digest,
            parts,
          };
          await writer.finish(manifest, async (kit: KitFile) => {
            verified = {
              size: kit.size,
              sha256: await verifyKit(kit, (bytes) => {
                progress({ text: formatBytes(bytes), fraction: bytes / kit.size });
              }),
            };
          });
          return formatBytes(verified.size);
        },
      },
    ]);
    return verified;
  } catch (error) {
    throw signal.aborted ? signal.reason : toKitError(error, path);
  }
}
