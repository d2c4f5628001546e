import { Readable } from 'node:stream';
import { bootstrapImage } from './bootstrap-image.ts';
import { bootstrapRef, contextFiles, type CatalogueEntry } from './catalogue.ts';
import type { Seeder } from './seeder.ts';

/** The label of an image that is not the official one. */
export const originLabel = 'ballast.origin';
const docker = '/usr/bin/docker';
const versionDir = '/tmp/ballast-version';
/** In the seeder's memory. */
const rustupServerFile = '/dev/shm/rustup-server';

export interface EquivalentOptions {
  /** PEM text of further authorities for the trust stores, or empty. */
  readonly extraCa: string;
  /** PEM text of all authorities to trust while something is fetched over TLS; it comes into no image. */
  readonly authorities: string;
  /** The operator's mirror of Rust's toolchains, as rustup spells it; empty for rustup's own default. */
  readonly rustupServer: string;
  /** As Docker spells it. */
  readonly architecture: string;
  /** Path of the tar of the bootstrap root file system; asked for only when it is needed. */
  readonly bootstrapRootfs: () => Promise<string>;
  readonly pack: (files: readonly { name: string; content: Buffer; mode: number }[]) => Readable;
}

/** `#7 [packages 2/4] RUN …` is how far a build has come; null for other lines. */
export function buildStep(line: string): number | null {
  const match = /^#\d+ \[(?:[^\]]* )?(\d+)\/(\d+)\] /.exec(line);
  return match === null ? null : (Number(match[1]) - 1) / Number(match[2]);
}

async function loadBootstrap(seeder: Seeder, options: EquivalentOptions): Promise<void> {
  const archive = await bootstrapImage(await options.bootstrapRootfs(), {
    ref: bootstrapRef,
    architecture: options.architecture,
    config: {
      Cmd: ['bash'],
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      Labels: { [originLabel]: 'equivalent' },
    },
  });
  await seeder.run([docker, 'load', '--quiet'], { stdin: archive });
}

/** The date of the image that equivalents are built from is that of them all: nothing says when they were built. */
async function sourceDate(seeder: Seeder): Promise<string> {
  const created = await seeder.run([docker, 'image', 'inspect', '--format', '{{.Created}}', bootstrapRef]);
  return String(Math.floor(Date.parse(created.trim()) / 1000));
}

/**
 * Build an equivalent in the seeder's engine. What it is built on must be there.
 * @throws BallastError setup_failed, disk_full.
 */
export async function buildEquivalent(
  seeder: Seeder,
  entry: CatalogueEntry,
  options: EquivalentOptions,
  onStep: (line: string, fraction: number | null) => void,
): Promise<void> {
  const { equivalent } = entry;
  if (equivalent.kind === 'bootstrap') {
    await loadBootstrap(seeder, options);
    return;
  }
  const files = [...(await contextFiles(equivalent.folder))].map(([name, content]) => ({ name, content, mode: 0o644 }));
  // The second is no part of common/: where it changes, layers that others share stay.
  const texts = Object.entries({ 'common/extra-ca.crt': options.extraCa, 'authorities.crt': options.authorities });
  const context = (): Readable =>
    options.pack([...files, ...texts.map(([name, text]) => ({ name, content: Buffer.from(text), mode: 0o644 }))]);
  const date = await sourceDate(seeder);
  const secrets: string[] = [];
  if (options.rustupServer !== '') {
    // It may hold a password, which is to be in no argument and no volume.
    const write = ['/bin/sh', '-c', 'umask 077 && cat > "$1"', 'sh', rustupServerFile];
    await seeder.run(write, { stdin: Readable.from([Buffer.from(options.rustupServer)]) });
    secrets.push(`--secret=id=rustup-server,src=${rustupServerFile}`);
  }
  const build = async (...args: readonly string[]): Promise<void> => {
    await seeder.run(
      [docker, 'build', '--progress=plain', `--build-arg=SOURCE_DATE_EPOCH=${date}`, ...secrets, ...args, '-'],
      {
        stdin: context(),
        onLine: (line) => {
          onStep(line, buildStep(line));
        },
      },
    );
  };
  const versioned: string[] = [];
  if (equivalent.versioned) {
    await build('--target=version', `--output=type=local,dest=${versionDir}`);
    const version = await seeder.run(['/bin/cat', `${versionDir}/version`]);
    versioned.push(`--build-arg=VERSION=${version.trim()}`);
  }
  await build(`--target=${equivalent.target}`, `--label=${originLabel}=equivalent`, `--tag=${entry.ref}`, ...versioned);
}
