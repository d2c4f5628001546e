import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { askBaseImages, type BuiltInRegistry } from '../base-images/built-in-registries.ts';
import { catalogue, findEntry, recipeHash, withTag } from '../base-images/catalogue.ts';
import { parseManifest, type StoredImage, type StoreManifest } from '../base-images/manifest.ts';
import { obtainImages } from '../base-images/obtain.ts';
import { Seeder } from '../base-images/seeder.ts';
import type { Config } from '../config.ts';
import type { Engine, Progress, SandboxRecord, SandboxSpec } from '../engines/engine.ts';
import { readExtraCa, trustedAuthorities } from '../extra-ca.ts';
import { BallastError, type ErrorCode } from '../protocol/index.ts';
import { startSandbox } from '../sessions/start-sandbox.ts';
import { bootstrapRootfs } from './bootstrap-rootfs.ts';
import { freeBytes, readHostSystem } from './host-system.ts';
import { packFiles } from './prepare-sandbox-image.ts';
import { StoreRecord } from './store-record.ts';

/** Changes when the layout inside the volume changes in another way than seal-store says. */
const layoutVersion = 6;
/** Writes the layout; a change of anything else in the sandbox image leaves a store as good as it was. */
const sealStore = new URL('../sandbox-image/rootfs/usr/local/lib/ballast/seal-store', import.meta.url);
const storeDir = '/var/lib/ballast/store';
const gibibyte = 1024 ** 3;
const otherSetupPollMs = 1000;
const startingMs = 10_000;
const seedLabel = 'ballast.seed';
const unknownImageMegabytes = 500;
const extraCaDir = '/home/learner/extra-ca';

/** Failures that the images obtained so far have no part in: they are kept for the next set-up. */
const resumable: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'registry_unreachable',
  'registry_untrusted',
  'registry_denied',
  'registry_rate_limited',
  'registry_failed',
  'images_missing',
  'disk_full',
  'config_invalid',
  'sandbox_exists',
]);

/** The store as sandboxes use it. What is in it may grow while a server runs: it is read again when asked. */
export interface PreparedStore {
  readonly volume: string;
  readonly images: readonly StoredImage[];
  /** That the package clients in the images use by themselves. */
  readonly registries: readonly BuiltInRegistry[];
  /** Grows with each addition of images. */
  readonly revision: number;
  /** What all images take of the disk. */
  readonly diskBytes: number;
  /** References that were obtained just now. */
  readonly obtained: readonly string[];
}

export interface PrepareStoreOptions {
  /** Reference of the sandbox image. */
  readonly image: string;
  /** Base images that must be in it. */
  readonly refs: readonly string[];
  /** Server id, for the label ballast.host. */
  readonly host: string;
  readonly config: Config;
  readonly progress: Progress;
}

/** Settings that change where images come from: with another mirror, what could not be pulled is tried again. */
function originSettings({ images, registries }: Config): readonly unknown[] {
  const mirrors = Object.entries(registries)
    .map(([registry, { mirror, insecure }]) => [registry, mirror, insecure])
    .sort();
  return images === 'auto' && mirrors.length === 0 ? [] : [images, mirrors];
}

/**
 * Everything that decides how the images of a store are made, as sixteen hex digits. Which of them are there is no part
 * of it: more can be added at any time.
 */
async function contentHash(extraCa: string, config: Config): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify([layoutVersion, extraCa, ...originSettings(config)]));
  hash.update(await readFile(sealStore));
  for (const entry of catalogue) hash.update(`${entry.ref} ${await recipeHash(entry)}\n`);
  return hash.digest('hex').slice(0, 16);
}

/** What obtaining images may take of the disk, in bytes: an upper bound. For those in no catalogue, a guess. */
export function neededBytes(refs: readonly string[]): number {
  return refs.reduce((sum, ref) => sum + (findEntry(ref)?.diskMegabytes ?? unknownImageMegabytes), 0) * 1e6;
}

/** Two set-ups that began in the same moment: the engine let the other one have the seeder. */
const isTaken = (error: unknown): boolean => error instanceof BallastError && error.code === 'sandbox_exists';

/** One preparation of one store; its methods share what they all need. */
class StorePreparation {
  readonly #engine: Engine;
  readonly #options: PrepareStoreOptions;
  readonly #refs: readonly string[];
  readonly #extraCa: string;
  readonly #hash: string;
  readonly #record: StoreRecord;
  readonly volume: string;
  obtained: readonly string[] = [];

  constructor(
    engine: Engine,
    options: PrepareStoreOptions,
    content: { refs: readonly string[]; extraCa: string; hash: string },
  ) {
    this.#engine = engine;
    this.#options = options;
    this.#refs = content.refs;
    this.#extraCa = content.extraCa;
    this.#hash = content.hash;
    this.volume = `ballast-store-${content.hash}`;
    this.#record = new StoreRecord(options.config.home, this.volume);
  }

  async #startSeeder(network: SandboxSpec['network'], storeVolume = this.volume): Promise<string> {
    const { cpus } = await this.#engine.info();
    const { image, host, config, progress } = this.#options;
    const spec: SandboxSpec = {
      session: `seed${this.#hash}`,
      kind: 'seeder',
      host,
      image,
      storeVolume,
      limits: { memoryBytes: Math.max(config.sandbox.memoryBytes, 2 * gibibyte), cpus, pids: 4096 },
      network,
      hostname: 'seeder',
      // The engine in there must trust the network's own authority before it pulls.
      env: this.#extraCa === '' ? {} : { SSL_CERT_DIR: `/etc/ssl/certs:${extraCaDir}` },
    };
    const { id } = await startSandbox(this.#engine, spec, {
      timeoutMs: config.sandbox.startSeconds * 1000,
      onStage: ({ text }) => {
        progress({ text });
      },
    });
    return id;
  }

  /** Seeders of this store that are at work, and those that a set-up ended half-way has left. */
  async #seeders(): Promise<{ active: readonly SandboxRecord[]; left: readonly SandboxRecord[] }> {
    const labels = { 'ballast.kind': 'seeder', 'ballast.session': `seed${this.#hash}` };
    const all = await this.#engine.listSandboxes(labels);
    // One that is just being made does not run yet.
    const isActive = ({ running, createdAt }: SandboxRecord): boolean =>
      running || Date.now() - createdAt.getTime() < startingMs;
    return { active: all.filter(isActive), left: all.filter((seeder) => !isActive(seeder)) };
  }

  /** Wait for another set-up that works on this store; clear away one that was ended half-way. */
  async #settleOthers(): Promise<void> {
    for (;;) {
      const { active, left } = await this.#seeders();
      for (const { id } of left) await this.#engine.removeSandbox(id);
      if (active.length === 0) return;
      this.#options.progress({ text: 'Another set-up is obtaining the base images; waiting for it' });
      await delay(otherSetupPollMs);
    }
  }

  #missing(manifest: StoreManifest | null): readonly string[] {
    return this.#refs.filter((ref) => manifest?.images.some((image) => image.ref === ref) !== true);
  }

  /** Find the store and what it lacks, or make it. */
  async obtain(): Promise<StoreRecord> {
    for (;;) {
      const remembered = await this.#remembered();
      if (remembered !== null && this.#missing(remembered).length === 0) return this.#record;
      await this.#settleOthers();
      try {
        const found = await this.#find();
        const missing = this.#missing(found);
        if (found === null || missing.length > 0) {
          await this.#assertRoom(missing);
          await this.#seed(found);
          this.obtained = missing;
        }
        return this.#record;
      } catch (error) {
        if (!isTaken(error)) throw error;
      }
    }
  }

  /**
   * A seeder on a volume that is there already; null, and the volume is gone, when its contents keep an engine from
   * starting (a set-up that was killed, a host that lost power).
   */
  async #openLeft(): Promise<string | null> {
    try {
      return await this.#startSeeder('none');
    } catch (error) {
      if (!(error instanceof BallastError && error.code === 'sandbox_failed')) throw error;
      // Where none starts on an empty volume either, the machine is to blame, and a good store must stay.
      const empty = `${this.volume}-empty`;
      await this.#engine.createVolume(empty, { 'ballast.kind': 'scratch', 'ballast.host': this.#options.host });
      try {
        await this.#engine.removeSandbox(await this.#startSeeder('none', empty));
      } catch {
        throw error;
      } finally {
        await this.#engine.removeVolume(empty);
      }
      this.#options.progress({ text: 'What an earlier set-up has left cannot be used: beginning anew' });
      await this.#engine.removeVolume(this.volume);
      return null;
    }
  }

  /** What was known of the volume before, if it is still the same one. */
  async #remembered(): Promise<StoreManifest | null> {
    const labels = await this.#engine.volumeLabels(this.volume);
    const manifest = this.#record.read();
    return manifest !== null && labels !== null && manifest.seed === labels[seedLabel] ? manifest : null;
  }

  /** What a whole store says of itself; null when there is none. Waits for another set-up. */
  async find(): Promise<StoreManifest | null> {
    for (;;) {
      await this.#settleOthers();
      try {
        return await this.#find();
      } catch (error) {
        if (!isTaken(error)) throw error;
      }
    }
  }

  /** The manifest of the volume if it is whole; null when it is not there or half-made. */
  async #find(): Promise<StoreManifest | null> {
    const labels = await this.#engine.volumeLabels(this.volume);
    if (labels === null) return null;
    this.#options.progress({ text: 'Reading the base-image store' });
    const id = await this.#openLeft();
    if (id === null) return null;
    try {
      const manifest = await this.#readManifest(new Seeder(this.#engine, id), labels[seedLabel]);
      if (manifest !== null) this.#record.write(manifest);
      return manifest;
    } finally {
      await this.#engine.removeSandbox(id);
    }
  }

  /** What the volume says of itself; null when it is half-made, or of another seed. */
  async #readManifest(seeder: Seeder, seed: string | undefined): Promise<StoreManifest | null> {
    const { stdout } = await seeder.try(['/bin/cat', `${storeDir}/manifest.json`]);
    const manifest = parseManifest(stdout);
    return manifest !== null && manifest.seed === seed ? manifest : null;
  }

  /** Told before minutes of pulling, not in the middle of it. */
  async #assertRoom(missing: readonly string[]): Promise<void> {
    const { rootDir } = await this.#engine.info();
    // Where the engine is another machine's, nothing here tells.
    const room = await this.#engine.diskRoom();
    const free = room?.freeBytes ?? (await freeBytes(rootDir).catch(() => Infinity));
    const need = neededBytes(missing);
    const inGigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;
    if (free < need) {
      throw new BallastError('disk_full', {
        message: `The base images may take ${inGigabytes(need)}; ${inGigabytes(free)} are free for ${rootDir}.`,
        hint: 'Free some space ("docker system df" shows what the engine uses), or leave out a track.',
      });
    }
    this.#options.progress({
      text: `${String(missing.length)} images, at most ${inGigabytes(need)} of disk (${inGigabytes(free)} are free)`,
    });
  }

  /** The volume to fill: one that an earlier set-up left half-filled, or a new one. */
  async #openVolume(): Promise<string> {
    const before = await this.#engine.volumeLabels(this.volume);
    if (before?.[seedLabel] !== undefined) return before[seedLabel];
    const seed = randomBytes(8).toString('hex');
    if (before !== null) await this.#engine.removeVolume(this.volume);
    await this.#engine.createVolume(this.volume, storeLabels(this.#options.host, seed));
    // Of two set-ups of the same moment, one has made it.
    return (await this.#engine.volumeLabels(this.volume))?.[seedLabel] ?? seed;
  }

  /**
   * Fill the volume, or add to it: until the manifest is written, nobody sees what is new, and sandboxes go on with
   * what there was.
   */
  async #seed(found: StoreManifest | null): Promise<void> {
    const engine = this.#engine;
    const { config, progress } = this.#options;
    const seed = await this.#openVolume();
    let id: string | undefined;
    let before = found;
    try {
      id = await this.#startSeeder('bridge');
      const seeder = new Seeder(engine, id);
      // Read by the one seeder that there can be: another set-up may have added images since the store was found.
      before = await this.#readManifest(seeder, seed);
      await seeder.holdLease();
      await this.#writeFile(seeder, `${extraCaDir}/extra-ca.crt`, this.#extraCa);
      const { images, diskBytes } = await obtainImages(seeder, {
        refs: this.#refs,
        known: before?.images ?? [],
        architecture: (await engine.info()).architecture,
        registries: config.registries,
        policy: config.images,
        extraCa: this.#extraCa,
        authorities: trustedAuthorities(readExtraCa(config.extraCa).certificates).join('\n'),
        rustupServer: process.env['RUSTUP_DIST_SERVER'] ?? '',
        pack: packFiles,
        progress,
        bootstrapRootfs: async () =>
          bootstrapRootfs({
            home: config.home,
            host: readHostSystem(),
            architecture: (await engine.info()).architecture,
            progress,
          }),
      });
      const refs = images.map(({ ref }) => ref);
      const registries = await askBaseImages(seeder, refs, before?.registries ?? []);
      await seeder.run(['/usr/local/lib/ballast/seal-store'], { env: { BALLAST_DATA_ROOT: `${storeDir}/docker` } });
      const revision = (before?.revision ?? 0) + 1;
      const manifest: StoreManifest = { version: 2, seed, revision, diskBytes, images: [...images], registries };
      await this.#writeFile(seeder, `${storeDir}/manifest.json`, JSON.stringify(manifest));
      this.#record.write(manifest);
    } catch (error) {
      if (id !== undefined) await engine.removeSandbox(id).catch(() => undefined);
      // Where the engine or a build failed, what is in the volume may be the reason; the next set-up begins anew. But
      // not where sandboxes use it.
      if (before === null && !(error instanceof BallastError && resumable.has(error.code)))
        await engine.removeVolume(this.volume).catch(() => undefined);
      throw error;
    } finally {
      if (id !== undefined) await engine.removeSandbox(id);
    }
  }

  async #writeFile(seeder: Seeder, path: string, text: string): Promise<void> {
    const script = 'mkdir -p "$(dirname "$1")" && cat > "$1.part" && sync "$1.part" && mv "$1.part" "$1"';
    await seeder.run(['/bin/sh', '-c', script, 'sh', path], { stdin: Readable.from([Buffer.from(text)]) });
  }
}

/**
 * Have the volume with the base images, ready to be mounted by sandboxes. What is there is found again in an instant;
 * what is not is added, while sandboxes go on.
 * @throws BallastError setup_failed, images_missing, disk_full, registry_*, sandbox_failed and the like.
 */
export async function prepareStore(engine: Engine, options: PrepareStoreOptions): Promise<PreparedStore> {
  const refs = [...new Set(options.refs.map(withTag))];
  const { pem: extraCa } = readExtraCa(options.config.extraCa);
  const hash = await contentHash(extraCa, options.config);
  const preparation = new StorePreparation(engine, options, { refs, extraCa, hash });
  const record = await preparation.obtain();
  const { volume, obtained } = preparation;
  return {
    volume,
    obtained,
    get images() {
      return record.read()?.images ?? [];
    },
    get registries() {
      return record.read()?.registries ?? [];
    },
    get revision() {
      return record.read()?.revision ?? 0;
    },
    get diskBytes() {
      return record.read()?.diskBytes ?? 0;
    },
  };
}

/** The place of a store: whether or not it is there. */
export interface StorePlace {
  readonly volume: string;
  /** What a whole store says of itself; null when there is none. */
  readonly manifest: StoreManifest | null;
}

/**
 * Look for the store that `prepareStore` would prepare, without making it.
 * @throws BallastError of the engine
 */
export async function findStore(engine: Engine, options: Omit<PrepareStoreOptions, 'refs'>): Promise<StorePlace> {
  const { pem: extraCa } = readExtraCa(options.config.extraCa);
  const hash = await contentHash(extraCa, options.config);
  const preparation = new StorePreparation(engine, { ...options, refs: [] }, { refs: [], extraCa, hash });
  return { volume: preparation.volume, manifest: await preparation.find() };
}

/** Hash of what in the project decides what is in a store; settings of this machine (mirrors, authorities) left out. */
export async function storeRecipe(config: Config): Promise<string> {
  return contentHash('', { ...config, images: 'auto', registries: {} });
}

/** Labels of a store's volume. @param seed as in its manifest */
export function storeLabels(host: string, seed: string): Readonly<Record<string, string>> {
  return { 'ballast.kind': 'store', 'ballast.host': host, [seedLabel]: seed };
}
