import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { verifyKit } from '../../bin/kit-file.mjs';
import type { Config } from '../config.ts';
import type { Engine, Progress } from '../engines/engine.ts';
import { formatBytes } from '../labs/quantities.ts';
import { BallastError } from '../protocol/index.ts';
import { siteState } from '../setup/build-site.ts';
import { freeBytes } from '../setup/host-system.ts';
import { sameSandboxSources, sandboxImageRef } from '../setup/prepare-sandbox-image.ts';
import { findStore, storeLabels, storeRecipe, type StorePlace } from '../setup/prepare-store.ts';
import { runStages, type Stage } from '../setup/stages.ts';
import { inspectImageArchive } from './image-part.ts';
import { openKit, toKitError, type OpenedKit } from './kit-manifest.ts';
import { unpackPart } from './part-streams.ts';
import { inspectSite, unpackSite } from './site-part.ts';
import { importStore } from './store-part.ts';

/** Room that stays beside what is unpacked: the engine's own books, and the sandbox in which the store is tried. */
const spareBytes = 500e6;

export interface ImportOptions {
  /** The project's folder. */
  readonly root: string;
  readonly config: Config;
  readonly hostId: string;
  readonly connect: (progress: Progress) => Promise<Engine>;
  readonly signal: AbortSignal;
}

/** One import; its methods share what they all need. */
class KitImport {
  readonly #kit: OpenedKit;
  readonly #options: ImportOptions;
  readonly #engine: Engine;

  constructor(kit: OpenedKit, engine: Engine, options: ImportOptions) {
    this.#kit = kit;
    this.#engine = engine;
    this.#options = options;
  }

  /** A part's bytes, with their progress; ends when the import is interrupted. */
  #unpack(name: string, progress: Progress): Readable {
    const { signal } = this.#options;
    const total = this.#kit.manifest.parts.find((part) => part.name === name)?.unpackedBytes ?? 0;
    const stream = unpackPart(this.#kit, name, (bytes) => {
      progress({ text: `${formatBytes(bytes)} of ${formatBytes(total)}`, fraction: bytes / total });
    });
    const stop = (): void => {
      stream.destroy(signal.reason as Error);
    };
    signal.addEventListener('abort', stop, { once: true });
    stream.once('close', () => {
      signal.removeEventListener('abort', stop);
    });
    if (signal.aborted) stop();
    return stream;
  }

  /** The name that the sandbox image has here. */
  #image(): Promise<string> {
    return sandboxImageRef(this.#options.config);
  }

  async #store(progress: Progress): Promise<StorePlace> {
    const { config, hostId: host } = this.#options;
    return findStore(this.#engine, { image: await this.#image(), host, config, progress });
  }

  /** Whether the kit is for this project and this machine, and there is room for it. Changes nothing. */
  async examine(progress: Progress): Promise<string> {
    const { manifest, file } = this.#kit;
    const { root, config } = this.#options;
    const mismatch = (message: string, hint?: string): BallastError =>
      new BallastError('kit_mismatch', { message: `${file} ${message}`, ...(hint === undefined ? {} : { hint }) });
    const { architecture } = await this.#engine.info();
    if (manifest.architecture !== architecture)
      throw mismatch(
        `is for ${manifest.architecture} machines; the Docker Engine here is for ${architecture}.`,
        `Export a kit on a machine whose Docker Engine is for ${architecture}.`,
      );
    const differs = [
      ...(sameSandboxSources(manifest.sandboxImage, await this.#image()) ? [] : ['the sandbox image']),
      ...(manifest.store.recipe === (await storeRecipe(config)) ? [] : ['the base images']),
      ...(manifest.site === (await siteState(root)).digest ? [] : ['the site']),
    ];
    if (differs.length > 0)
      throw mismatch(
        `was exported by Ballast ${manifest.ballast} from other sources than these: ${differs.join(', ')} would differ.`,
        'Put the project files of the machine that exported it here (the same commit, without changes), or export it again.',
      );
    progress({ text: 'Looking into the kit' });
    await inspectImageArchive(
      this.#unpack('sandbox-image.tar.zst', () => undefined),
      manifest.sandboxImage,
    );
    await inspectSite(this.#unpack('site.tar.zst', () => undefined));
    await this.#assertRoom();
    return `for this version and ${architecture}`;
  }

  async #assertRoom(): Promise<void> {
    const needed = this.#kit.manifest.parts.reduce((sum, { unpackedBytes }) => sum + unpackedBytes, spareBytes);
    const places = [
      { where: "the Docker Engine's data", free: (await this.#engine.diskRoom())?.freeBytes ?? Infinity },
      { where: this.#options.root, free: await freeBytes(this.#options.root) },
    ];
    for (const { where, free } of places) {
      if (free < needed)
        throw new BallastError('disk_full', {
          message: `Only ${formatBytes(free)} are free for ${where}; the kit needs ${formatBytes(needed)}.`,
          hint: 'Free some space ("docker system df" shows what the engine uses), then try again. Nothing was changed.',
        });
    }
  }

  async sandboxImage(progress: Progress): Promise<string> {
    const engine = this.#engine;
    const { sandboxImage: packed } = this.#kit.manifest;
    const ref = await this.#image();
    if ((await engine.findImage(ref)) !== null) return 'here already';
    await engine.loadImage(this.#unpack('sandbox-image.tar.zst', progress));
    if ((await engine.findImage(packed)) === null)
      throw new BallastError('engine_failed', { message: `The Docker Engine took in an image, but not ${packed}.` });
    // The name says which authorities are in it; those are the exporting machine's, whatever is set here.
    await engine.tagImage(packed, ref);
    if (packed !== ref) await engine.removeImage(packed);
    return ref;
  }

  async baseImages(progress: Progress): Promise<string> {
    const engine = this.#engine;
    const { hostId: host, signal } = this.#options;
    const { store } = this.#kit.manifest;
    const image = await this.#image();
    const { volume, manifest } = await this.#store(progress);
    const has = (ref: string): boolean => manifest?.images.some((one) => one.ref === ref) === true;
    if (manifest !== null && store.manifest.images.every(({ ref }) => has(ref))) return 'here already';
    // A store with fewer images, or half of one, of a set-up or an import that was ended.
    await engine.removeVolume(volume).catch((cause: unknown) => {
      throw new BallastError('engine_failed', {
        message: 'The base images that are here cannot be replaced: sandboxes use them.',
        hint: 'Stop the server and end its sandboxes ("docker ps --filter label=ballast.kind"), then try again.',
        cause,
      });
    });
    await engine.createVolume(volume, storeLabels(host, store.manifest.seed));
    try {
      const tar = this.#unpack('base-images.tar.zst', progress);
      await importStore(engine, tar, store.manifest, { image, volume, host, signal });
      progress({ text: 'Trying the base images' });
      if ((await this.#store(progress)).manifest === null)
        throw new BallastError('kit_damaged', { message: 'The base images of the kit cannot be used here.' });
    } catch (error) {
      await engine.removeVolume(volume).catch(() => undefined);
      throw error;
    }
    return `${String(store.manifest.images.length)} ready`;
  }

  async site(progress: Progress): Promise<string> {
    const site = await siteState(this.#options.root);
    if (site.current) return 'here already';
    await unpackSite(this.#unpack('site.tar.zst', progress), site);
    return 'ready';
  }
}

/**
 * Bring what is in a kit to this machine, without a network. What is there already stays; a kit that is not whole, or not
 * for this machine, changes nothing. After an interruption, call it again.
 * @throws BallastError kit_invalid, kit_damaged, kit_mismatch, disk_full, bad_request and the engine's own
 */
export async function importKit(file: string, options: ImportOptions): Promise<void> {
  const path = resolve(file);
  const { signal } = options;
  try {
    const kit = await openKit(path);
    let work: KitImport | undefined;
    const stage = (title: string, run: (work: KitImport, progress: Progress) => Promise<string>): Stage => ({
      title,
      run: async (progress) => {
        signal.throwIfAborted();
        if (work === undefined) throw new BallastError('internal', { message: 'Stages ran out of order.' });
        return run(work, progress);
      },
    });
    await runStages([
      {
        title: 'Kit',
        run: async (progress) => {
          const sha256 = await verifyKit(kit, (bytes) => {
            signal.throwIfAborted();
            progress({ text: `${formatBytes(bytes)} of ${formatBytes(kit.size)} read`, fraction: bytes / kit.size });
          });
          return `whole, ${formatBytes(kit.size)}, SHA-256 ${sha256}`;
        },
      },
      {
        title: 'Docker Engine',
        run: async (progress) => {
          const engine = await options.connect(progress);
          work = new KitImport(kit, engine, options);
          return (await engine.info()).version;
        },
      },
      stage('This machine', (it, progress) => it.examine(progress)),
      stage('Sandbox image', (it, progress) => it.sandboxImage(progress)),
      stage('Base images', (it, progress) => it.baseImages(progress)),
      stage('Site', (it, progress) => it.site(progress)),
    ]);
  } catch (error) {
    throw signal.aborted ? signal.reason : toKitError(error, path);
  }
}
