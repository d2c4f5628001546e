import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { pack } from 'tar-stream';
import { bootstrapRef } from '../base-images/catalogue.ts';
import { readCredentials } from '../base-images/credentials.ts';
import { classifyPullText, fallsBack, pullError, reasonOf, type PullFailure } from '../base-images/pull-failure.ts';
import { Patience, pullPatiently } from '../base-images/pull-patience.ts';
import { pullSource, type PullSource } from '../base-images/pull-source.ts';
import type { Config } from '../config.ts';
import type { Engine, Progress, RegistryCredentials } from '../engines/engine.ts';
import { readExtraCa, type ExtraCa } from '../extra-ca.ts';
import { BallastError } from '../protocol/index.ts';
import { bootstrapRootfs } from './bootstrap-rootfs.ts';
import type { HostSystem } from './host-system.ts';

const imageDir = fileURLToPath(new URL('../sandbox-image/', import.meta.url));
/** Where the bootstrap root file system goes in the host's engine; never over the user's own debian image. */
const bootstrapImage = 'ballast/debian:trixie-slim';
/** A registry that has not answered by then counts as out of reach. */
const registryPatienceMs = 15_000;

interface ImageFile {
  readonly name: string;
  readonly content: Buffer;
  readonly mode: number;
}

/** Files of the image's build context, sorted; the seccomp profile is the driver's and changes no image. */
async function sourceFiles(): Promise<readonly ImageFile[]> {
  const entries = await readdir(imageDir, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile() && entry.name !== 'seccomp.json')
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  return Promise.all(
    files.map(async (file) => ({
      name: relative(imageDir, file).replaceAll('\\', '/'),
      content: await readFile(file),
      mode: ((await stat(file)).mode & 0o100) === 0 ? 0o644 : 0o755,
    })),
  );
}

/** The operator's authorities, where the image's own update-ca-certificates looks for such. */
const authorityFiles = ({ certificates }: ExtraCa): readonly ImageFile[] =>
  certificates.map((certificate, at) => ({
    name: `rootfs/usr/local/share/ca-certificates/ballast-extra-${String(at + 1)}.crt`,
    content: Buffer.from(certificate.toString()),
    mode: 0o644,
  }));

const digestOf = (files: readonly ImageFile[], digits: number): string => {
  const hash = createHash('sha256');
  for (const { name, content } of files) hash.update(`${name}\0${String(content.length)}\0`).update(content);
  return hash.digest('hex').slice(0, digits);
};

const refOf = (sources: readonly ImageFile[], authorities: readonly ImageFile[]): string => {
  const suffix = authorities.length === 0 ? '' : `-${digestOf(authorities, 8)}`;
  return `ballast/sandbox:${digestOf(sources, 12)}${suffix}`;
};

/** The reference that the sandbox image of this version has in the engine, whether it is there or not. */
export async function sandboxImageRef(config: Pick<Config, 'extraCa'>): Promise<string> {
  return refOf(await sourceFiles(), authorityFiles(readExtraCa(config.extraCa)));
}

/** Whether two sandbox images are made of the same sources, be it with other authorities. */
export function sameSandboxSources(one: string, other: string): boolean {
  const [left, right] = [one, other].map((ref) => ref.replace(/-[0-9a-f]{8}$/, ''));
  return left === right;
}

/** A tar of files, root's, with a fixed date: the same files give the same bytes. */
export function packFiles(files: readonly ImageFile[]): Readable {
  const archive = pack();
  for (const { name, content, mode } of files) archive.entry({ name, mode, mtime: new Date(0) }, content);
  archive.finalize();
  return Readable.from(archive as AsyncIterable<Buffer>, { objectMode: false });
}

/** One attempt, given up when the registry does not begin to answer soon. */
async function pullOnce(
  engine: Engine,
  source: PullSource,
  credentials: RegistryCredentials | undefined,
  progress: Progress,
): Promise<PullFailure | null> {
  const silence = new AbortController();
  const timer = setTimeout(() => {
    silence.abort();
  }, registryPatienceMs);
  try {
    progress({ text: `Asking ${source.host} for ${source.ref}` });
    await engine.pullImage(
      source.ref,
      (line) => {
        clearTimeout(timer);
        progress(line);
      },
      { from: source.pullRef, signal: silence.signal, ...(credentials === undefined ? {} : { credentials }) },
    );
    return null;
  } catch (error) {
    if (silence.signal.aborted) return { kind: 'unreachable', detail: 'no answer in time' };
    const ofRegistry = error instanceof BallastError && ['engine_failed', 'image_not_found'].includes(error.code);
    if (!ofRegistry) throw error;
    return classifyPullText(error.message);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Have an image in the host's engine, from where the configuration says.
 * @returns false where an equivalent is to be built.
 * @throws BallastError registry_*, images_missing; of the engine itself disk_full, engine_missing …
 */
export async function pullToHost(
  engine: Engine,
  ref: string,
  { config, progress }: Pick<PrepareImageOptions, 'config' | 'progress'>,
): Promise<boolean> {
  if (config.images === 'build') return false;
  const source = pullSource(ref, config.registries);
  const credentials = await readCredentials(source);
  const failure = await pullPatiently(() => pullOnce(engine, source, credentials, progress), {
    patience: new Patience(source.waitSeconds),
    host: source.host,
    report: (text) => {
      progress({ text });
    },
  });
  if (failure === null) return true;
  if (!fallsBack(config.images, failure, source)) throw pullError(failure, source);
  progress({ text: `${reasonOf(failure, source)}: building ${ref} from Debian packages instead` });
  return false;
}

async function baseImage(engine: Engine, options: PrepareImageOptions): Promise<string> {
  const { config, host, progress } = options;
  if ((await engine.findImage(bootstrapRef)) !== null) return bootstrapRef;
  if (await pullToHost(engine, bootstrapRef, options)) return bootstrapRef;
  const { architecture } = await engine.info();
  const rootfs = await bootstrapRootfs({ home: config.home, host, architecture, progress });
  await engine.importImage(bootstrapImage, createReadStream(rootfs), {
    'ballast.kind': 'base',
    'ballast.origin': 'equivalent',
  });
  return bootstrapImage;
}

export interface PrepareImageOptions {
  readonly config: Config;
  readonly host: HostSystem;
  readonly progress: Progress;
  /** Called when the image is not there and is about to be built. */
  readonly beforeBuild?: () => Promise<void>;
}

/**
 * Have the sandbox image in the engine. Its tag is a hash of its sources, and of the operator's authorities where there
 * are any, so it is built once a version. That it is still in use is noted in the engine: see `removeOldSandboxImages`.
 * @throws BallastError setup_failed, engine_failed, disk_full and the like.
 */
export async function prepareSandboxImage(
  engine: Engine,
  options: PrepareImageOptions,
): Promise<{ image: string; built: boolean }> {
  const sources = await sourceFiles();
  const authorities = authorityFiles(readExtraCa(options.config.extraCa));
  const image = refOf(sources, authorities);
  if ((await engine.findImage(image)) !== null) {
    await engine.tagImage(image, image);
    return { image, built: false };
  }
  await options.beforeBuild?.();
  const base = await baseImage(engine, options);
  await engine.buildImage(image, packFiles([...sources, ...authorities]), {
    labels: { 'ballast.kind': 'sandbox-image' },
    buildArgs: { BASE: base },
    onProgress: options.progress,
  });
  return { image, built: true };
}
