import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { Progress } from '../engines/engine.ts';
import { BallastError } from '../protocol/index.ts';
import { bootstrapRef, catalogue, contextFiles, type CatalogueEntry } from './catalogue.ts';
import { ImagePuller } from './image-puller.ts';
import { blobSizes, type StoredImage } from './manifest.ts';
import { fallsBack, pullError, reasonOf } from './pull-failure.ts';
import type { ImagesPolicy, Registries } from './registry-settings.ts';
import type { Seeder } from './seeder.ts';

const originLabel = 'ballast.origin';
const equivalentLabel = `${originLabel}=equivalent`;

export interface ObtainOptions {
  readonly refs: readonly string[];
  readonly registries: Registries;
  readonly policy: ImagesPolicy;
  /** PEM text of further authorities for the trust stores of equivalents, or empty. */
  readonly extraCa: string;
  /** Path of the tar of the bootstrap root file system; asked for only when an equivalent has to be built. */
  readonly bootstrapRootfs: () => Promise<string>;
  readonly pack: (files: readonly { name: string; content: Buffer; mode: number }[]) => Readable;
  readonly progress: Progress;
}

/** `#7 [packages 2/4] RUN …` is how far a build has come; null for other lines. */
export function buildStep(line: string): number | null {
  const match = /^#\d+ \[(?:[^\]]* )?(\d+)\/(\d+)\] /.exec(line);
  return match === null ? null : (Number(match[1]) - 1) / Number(match[2]);
}

function entryOf(ref: string): CatalogueEntry | undefined {
  return catalogue.find((entry) => entry.ref === ref);
}

async function importBootstrap(seeder: Seeder, options: ObtainOptions): Promise<void> {
  await seeder.run(
    [
      '/usr/bin/docker',
      'import',
      '--change=CMD ["bash"]',
      '--change=ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      `--change=LABEL ${equivalentLabel}`,
      '-',
      bootstrapRef,
    ],
    { stdin: createReadStream(await options.bootstrapRootfs()) },
  );
}

async function buildEquivalent(
  seeder: Seeder,
  ref: string,
  recipe: { readonly folder: string; readonly target: string },
  options: ObtainOptions,
  onStep: (text: string, fraction: number | null) => void,
): Promise<void> {
  const files = [...(await contextFiles(recipe.folder))].map(([name, content]) => ({ name, content, mode: 0o644 }));
  const context = options.pack([
    ...files,
    { name: 'extra-ca.crt', content: Buffer.from(options.extraCa), mode: 0o644 },
  ]);
  await seeder.run(
    [
      '/usr/bin/docker',
      'build',
      '--progress=plain',
      `--target=${recipe.target}`,
      `--label=${equivalentLabel}`,
      `--tag=${ref}`,
      '-',
    ],
    {
      stdin: context,
      onLine: (line) => {
        onStep(line, buildStep(line));
      },
    },
  );
}

const inspected = z.array(
  z.object({
    Id: z.string(),
    RootFS: z.object({ Layers: z.array(z.string()) }),
    Config: z.object({ Labels: z.record(z.string(), z.string()).nullish() }),
  }),
);

async function describe(seeder: Seeder, refs: readonly string[]): Promise<StoredImage[]> {
  const images = inspected.parse(JSON.parse(await seeder.run(['/usr/bin/docker', 'image', 'inspect', ...refs])));
  const listing = await seeder.run(['/bin/sh', '-c', 'docker save "$@" | tar -tv --numeric-owner', 'sh', ...refs]);
  const sizes = blobSizes(listing);
  return images.map(({ Id, RootFS, Config }, at) => ({
    ref: refs[at] ?? '',
    origin: Config.Labels?.[originLabel] === 'equivalent' ? 'equivalent' : 'official',
    sizeBytes: RootFS.Layers.reduce((sum, layer) => sum + (sizes.get(layer) ?? 0), 0),
    digest: Id,
  }));
}

/**
 * Have every reference in the seeder's engine: pulled, or built from Debian packages, as the policy says; then leave
 * nothing else there. What is there already is not obtained again.
 * @throws BallastError registry_*, images_missing, config_invalid, setup_failed, disk_full.
 */
export async function obtainImages(seeder: Seeder, options: ObtainOptions): Promise<StoredImage[]> {
  const { refs, registries, policy, progress } = options;
  const puller = new ImagePuller(seeder, registries, options.extraCa);
  const notes = new Map<string, string>();
  let done = 0;
  const report = (text: string, part = 0): void => {
    progress({ text, fraction: Math.min(1, (done + part) / (refs.length + 1)) });
  };
  const has = async (ref: string): Promise<boolean> =>
    (await seeder.try(['/usr/bin/docker', 'image', 'inspect', ref])).exitCode === 0;

  /** False where an equivalent is to be built. */
  const pull = async (ref: string, entry: CatalogueEntry | undefined): Promise<boolean> => {
    if (policy === 'build') return false;
    report(`Pulling ${ref}`);
    const failure = await puller.pull(ref, (line) => {
      report(`Pulling ${ref}: ${line}`);
    });
    if (failure === null) return true;
    const source = puller.source(ref);
    if (entry === undefined || !fallsBack(policy, failure, source)) throw pullError(failure, source);
    const reason = reasonOf(failure, source);
    notes.set(ref, reason);
    report(`${reason}: building ${ref} from Debian packages instead`);
    return false;
  };

  const obtain = async (ref: string): Promise<void> => {
    if (await has(ref)) return;
    const entry = entryOf(ref);
    if (await pull(ref, entry)) return;
    if (entry === undefined) {
      throw new BallastError('images_missing', {
        message: `The catalogue does not say how to build the base image ${ref}.`,
        hint: 'Set "images" to auto, or add it to sandbox-server/base-images/catalogue.ts.',
      });
    }
    report(`Building ${ref} from Debian packages`);
    if (entry.equivalent.kind === 'bootstrap') {
      await importBootstrap(seeder, options);
      return;
    }
    await obtain(bootstrapRef);
    await buildEquivalent(seeder, ref, entry.equivalent, options, (line, part) => {
      if (part !== null) report(`Building ${ref}: ${line}`, part);
    });
  };

  for (const ref of refs) {
    await obtain(ref);
    done += 1;
  }
  report('Tidying up');
  if (!refs.includes(bootstrapRef) && (await has(bootstrapRef)))
    await seeder.run(['/usr/bin/docker', 'rmi', bootstrapRef]);
  await seeder.run(['/usr/bin/docker', 'builder', 'prune', '--all', '--force']);
  await seeder.run(['/usr/bin/docker', 'image', 'prune', '--force']);
  report('Measuring the images', 0.5);
  const images = await describe(seeder, refs);
  return images.map((image) => ({ ...image, note: notes.get(image.ref) }));
}
