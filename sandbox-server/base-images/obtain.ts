import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { Progress } from '../engines/engine.ts';
import { BallastError } from '../protocol/index.ts';
import { bootstrapRef, catalogue, contextFiles, registryOf, type CatalogueEntry } from './catalogue.ts';
import { blobSizes, type StoredImage } from './manifest.ts';
import type { Seeder } from './seeder.ts';

const registryPatienceSeconds = 15;
const originLabel = 'ballast.origin';
const equivalentLabel = `${originLabel}=equivalent`;

export interface ObtainOptions {
  readonly refs: readonly string[];
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

/** Asks each registry once whether it answers. */
class Registries {
  readonly #seeder: Seeder;
  readonly #progress: Progress;
  readonly #answers = new Map<string, Promise<boolean>>();

  constructor(seeder: Seeder, progress: Progress) {
    this.#seeder = seeder;
    this.#progress = progress;
  }

  answersFor(ref: string): Promise<boolean> {
    const registry = registryOf(ref);
    const known = this.#answers.get(registry) ?? this.#ask(registry, ref);
    this.#answers.set(registry, known);
    return known;
  }

  async #ask(registry: string, ref: string): Promise<boolean> {
    const { exitCode } = await this.#seeder.try([
      '/usr/bin/timeout',
      String(registryPatienceSeconds),
      '/usr/bin/docker',
      'buildx',
      'imagetools',
      'inspect',
      '--raw',
      ref,
    ]);
    if (exitCode !== 0)
      this.#progress({ text: `${registry} does not answer: building its images from Debian packages` });
    return exitCode === 0;
  }
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
 * Have every reference in the seeder's engine: pulled where its registry answers, else built from Debian packages;
 * then leave nothing else there.
 * @throws BallastError setup_failed, disk_full; images_missing for a reference that can neither be pulled nor built.
 */
export async function obtainImages(seeder: Seeder, options: ObtainOptions): Promise<StoredImage[]> {
  const { refs, progress } = options;
  const registries = new Registries(seeder, progress);
  let done = 0;
  const report = (text: string, part = 0): void => {
    progress({ text, fraction: Math.min(1, (done + part) / (refs.length + 1)) });
  };

  const pull = async (ref: string): Promise<boolean> => {
    if (!(await registries.answersFor(ref))) return false;
    report(`Pulling ${ref}`);
    const { exitCode, lastLines } = await seeder.try(['/usr/bin/docker', 'pull', ref], {
      onLine: (line) => {
        report(`Pulling ${ref}: ${line}`);
      },
    });
    if (exitCode !== 0) progress({ text: `Pulling ${ref} failed: ${lastLines}` });
    return exitCode === 0;
  };
  const has = async (ref: string): Promise<boolean> =>
    (await seeder.try(['/usr/bin/docker', 'image', 'inspect', ref])).exitCode === 0;

  const obtain = async (ref: string): Promise<void> => {
    if (await has(ref)) return;
    if (await pull(ref)) return;
    const entry = entryOf(ref);
    if (entry === undefined) {
      throw new BallastError('images_missing', {
        message: `The base image ${ref} cannot be pulled, and the catalogue does not say how to build it.`,
        hint: 'Connect to the network, or add it to sandbox-server/base-images/catalogue.ts.',
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
  return describe(seeder, refs);
}
