import { z } from 'zod';
import type { Progress } from '../engines/engine.ts';
import { BallastError } from '../protocol/index.ts';
import { buildEquivalent, originLabel, type EquivalentOptions } from './build-equivalent.ts';
import { bootstrapRef, catalogue, findEntry, type CatalogueEntry } from './catalogue.ts';
import { ExtraAuthorities } from './extra-authorities.ts';
import { ImagePuller } from './image-puller.ts';
import type { StoredImage } from './manifest.ts';
import { fallsBack, pullError, reasonOf } from './pull-failure.ts';
import type { ImagesPolicy, Registries } from './registry-settings.ts';
import type { Seeder } from './seeder.ts';

const docker = '/usr/bin/docker';

export interface ObtainOptions extends EquivalentOptions {
  readonly refs: readonly string[];
  /** What the store has already; it stays. */
  readonly known: readonly StoredImage[];
  readonly registries: Registries;
  readonly policy: ImagesPolicy;
  readonly progress: Progress;
}

export interface Obtained {
  readonly images: readonly StoredImage[];
  readonly diskBytes: number;
}

const inspected = z.array(
  z.object({
    Id: z.string(),
    Size: z.number().int().nonnegative(),
    Config: z.object({ Labels: z.record(z.string(), z.string()).nullish() }),
  }),
);
const diskUsage = z.object({ LayersSize: z.number().int().nonnegative() });

type Described = Omit<StoredImage, 'seconds' | 'note'>;

async function describe(seeder: Seeder, refs: readonly string[]): Promise<Described[]> {
  const images = inspected.parse(JSON.parse(await seeder.run([docker, 'image', 'inspect', ...refs])));
  return images.map(({ Id, Size, Config }, at) => ({
    ref: refs[at] ?? '',
    origin: Config.Labels?.[originLabel] === 'equivalent' ? 'equivalent' : 'official',
    // With overlay2, which a sandbox always has, this is what images/ counts: the bytes of the files in the layers.
    sizeBytes: Size,
    digest: Id,
  }));
}

/** Ask the seeder's engine what its command line has no words for. */
async function engineApi(seeder: Seeder, method: 'GET' | 'POST', path: string): Promise<unknown> {
  const answer = await seeder.run([
    ...['/usr/bin/curl', '--silent', '--show-error', '--fail', '--request', method],
    ...['--unix-socket', '/run/user/1000/docker.sock', `http://localhost${path}`],
  ]);
  return JSON.parse(answer) as unknown;
}

/** Steps whose layers are in an image stay: the next image that begins with them needs not make them again. */
async function pruneBuilds(seeder: Seeder): Promise<void> {
  const filters = encodeURIComponent(JSON.stringify({ private: {} }));
  await engineApi(seeder, 'POST', `/build/prune?all=true&filters=${filters}`);
}

/** Catalogue order first: what others are built on, and what they share, comes before them. */
function inOrder(refs: readonly string[]): string[] {
  const place = (ref: string): number => {
    const at = catalogue.findIndex((entry) => entry.ref === ref);
    return at === -1 ? catalogue.length : at;
  };
  return refs.toSorted((a, b) => place(a) - place(b));
}

/**
 * Have every reference in the seeder's engine: pulled, or built from Debian packages, as the policy says; then leave
 * nothing there but those, what was known before, and of the builds only what is a part of them. What is there already
 * is not obtained again.
 * @returns all images, those known before too.
 * @throws BallastError registry_*, images_missing, config_invalid, setup_failed, disk_full.
 */
export async function obtainImages(seeder: Seeder, options: ObtainOptions): Promise<Obtained> {
  const { registries, policy, progress } = options;
  const refs = inOrder(options.refs);
  const puller = new ImagePuller(seeder, registries, options.extraCa);
  const authorities = new ExtraAuthorities(seeder, options.extraCa);
  const notes = new Map<string, string>(
    options.known.flatMap(({ ref, note }) => (note === undefined ? [] : [[ref, note]])),
  );
  const seconds = new Map(options.known.map((image) => [image.ref, image.seconds]));
  let done = 0;
  const report = (text: string, part = 0): void => {
    progress({ text, fraction: Math.min(1, (done + part) / (refs.length + 1)) });
  };
  const has = async (ref: string): Promise<boolean> =>
    (await seeder.try([docker, 'image', 'inspect', '--format', '{{.Id}}', ref])).exitCode === 0;

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

  const build = async (ref: string, entry: CatalogueEntry): Promise<void> => {
    report(`Building ${ref} from Debian packages`);
    await buildEquivalent(seeder, entry, options, (line, part) => {
      if (part !== null) report(`Building ${ref}: ${line}`, part);
    });
  };

  const obtain = async (ref: string): Promise<void> => {
    const started = performance.now();
    let onOthers = 0;
    const isNew = !(await has(ref));
    if (isNew) {
      const entry = findEntry(ref);
      if (!(await pull(ref, entry))) {
        if (entry === undefined) {
          throw new BallastError('images_missing', {
            message: `The catalogue does not say how to build the base image ${ref}.`,
            hint: 'Set "images" to auto, or add it to sandbox-server/base-images/catalogue.ts.',
          });
        }
        const before = performance.now();
        const bases = entry.equivalent.kind === 'bootstrap' ? [] : [bootstrapRef, ...entry.equivalent.on];
        for (const base of bases) await obtain(base);
        onOthers = performance.now() - before;
        await build(ref, entry);
      }
    }
    // Also in one that is here: a set-up may have ended between the two.
    await authorities.addTo(ref, report);
    if (isNew) seconds.set(ref, (performance.now() - started - onOthers) / 1000);
  };

  for (const ref of refs) {
    await obtain(ref);
    done += 1;
  }
  report('Tidying up');
  const kept = inOrder([...new Set([...options.known.map(({ ref }) => ref), ...refs])]);
  const built = (await seeder.run([docker, 'image', 'ls', '--format', '{{.Repository}}:{{.Tag}}'])).split('\n');
  // What an image was built on may be none that is wanted.
  const surplus = built.filter((ref) => findEntry(ref) !== undefined && !kept.includes(ref));
  if (surplus.length > 0) await seeder.run([docker, 'rmi', ...surplus]);
  await seeder.run([docker, 'image', 'prune', '--force']);
  await pruneBuilds(seeder);
  report('Measuring the images', 0.5);
  const images = await describe(seeder, kept);
  return {
    images: images.map((image) => ({
      ...image,
      seconds: Math.round((seconds.get(image.ref) ?? 0) * 10) / 10,
      ...(notes.has(image.ref) ? { note: notes.get(image.ref) } : {}),
    })),
    diskBytes: diskUsage.parse(await engineApi(seeder, 'GET', '/system/df?type=image')).LayersSize,
  };
}
