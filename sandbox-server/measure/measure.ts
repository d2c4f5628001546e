import { join } from 'node:path';
import { parseBuildSteps } from '../checks/build-steps.ts';
import { dockerBuild } from '../checks/docker-build.ts';
import type { BuildRequest } from '../checks/docker-build.ts';
import { dockerCli } from '../checks/docker-cli.ts';
import { parseStages } from '../checks/dockerfile.ts';
import { createEngineShell } from '../checks/engine-shell.ts';
import { createSandboxImages } from '../checks/index.ts';
import type { SandboxShell } from '../checks/index.ts';
import { findEntry, recipeHash } from '../base-images/catalogue.ts';
import type { StoredImage } from '../base-images/manifest.ts';
import { packSubmission, readSubmissionFolder } from '../grading/submission.ts';
import type { GraderOptions } from '../grading/index.ts';
import { executableClass } from '../images/executables.ts';
import { debianPackages } from '../images/debian-packages.ts';
import type { DebianPackages } from '../images/debian-packages.ts';
import type { ImageContents } from '../images/image-reader.ts';
import type { Lab } from '../labs/index.ts';
import { BallastError } from '../protocol/index.ts';
import type { MeasuredImage, MeasuredRebuild, Measurements } from '../protocol/index.ts';
import { newSessionId } from '../sessions/credentials.ts';
import { startSandbox } from '../sessions/start-sandbox.ts';
import type { ImageRecipe, RebuildRecipe, Recipes } from './recipes.ts';

export interface MeasureOptions extends GraderOptions {
  readonly labs: ReadonlyMap<string, Lab>;
  /** The base images that the sandbox has, and where each came from. */
  readonly stored: readonly StoredImage[];
  /** Base images whose Debian packages are wanted. */
  readonly listed: readonly string[];
  /** Told of each recipe before it is tried. */
  readonly onRecipe: (id: string) => void;
}

const buildTimeoutMs = 600_000;
const home = '/home/learner';

/**
 * Build and read all that the recipes ask for, in one fresh sandbox, which is removed at the end.
 * @throws BallastError bad_request when a recipe names a lab or a base image that is not there, or its build fails.
 */
export async function measure(
  recipes: Pick<Recipes, 'images' | 'rebuilds'>,
  options: MeasureOptions,
): Promise<{ readonly measurements: Measurements; readonly listed: readonly DebianPackages[] }> {
  const { engine, signal } = options;
  const { id } = await startSandbox(
    engine,
    {
      session: newSessionId(),
      kind: 'grader',
      host: options.hostId,
      image: options.image,
      storeVolume: options.storeVolume,
      limits: options.limits,
      network: 'none',
      hostname: 'measure',
      env: {},
    },
    { timeoutMs: options.startTimeoutMs, ...(signal === undefined ? {} : { signal }) },
  );
  try {
    const bench = new Bench(createEngineShell(engine, id), options);
    const images: Record<string, MeasuredImage> = {};
    for (const [name, recipe] of Object.entries(recipes.images)) {
      options.onRecipe(name);
      images[name] = await bench.image(name, recipe);
    }
    const rebuilds: Record<string, MeasuredRebuild> = {};
    for (const [name, recipe] of Object.entries(recipes.rebuilds)) {
      options.onRecipe(name);
      rebuilds[name] = await bench.rebuild(name, recipe);
    }
    const listed: DebianPackages[] = [];
    for (const ref of options.listed) listed.push(debianPackages((await bench.baseImage(ref, ref)).contents));
    const measuredOn = new Date().toISOString().slice(0, 10);
    return { measurements: { version: 1, measuredOn, images, rebuilds }, listed };
  } finally {
    await engine.removeSandbox(id);
  }
}

/** One sandbox in which things are measured. */
class Bench {
  readonly #shell: SandboxShell;
  readonly #options: MeasureOptions;

  constructor(shell: SandboxShell, options: MeasureOptions) {
    this.#shell = shell;
    this.#options = options;
  }

  async image(name: string, recipe: ImageRecipe): Promise<MeasuredImage> {
    if ('ref' in recipe) {
      const { contents, stored } = await this.baseImage(name, recipe.ref);
      return { title: recipe.title, ...(await madeBy([stored])), ...weigh(contents) };
    }
    const dir = await this.#place(name, recipe);
    const tag = `measured:${name}`;
    const { bases } = await this.#build(name, dir, {
      tag,
      ...(recipe.target === undefined ? {} : { target: recipe.target }),
    });
    const contents = await createSandboxImages(this.#shell).read(tag, this.#options.signal);
    return { title: recipe.title, ...(await madeBy(bases)), ...weigh(contents) };
  }

  /** What is in a base image of the store. */
  async baseImage(name: string, ref: string): Promise<{ contents: ImageContents; stored: StoredImage }> {
    const stored = this.#options.stored.find((image) => image.ref === ref);
    if (stored === undefined) throw problem(name, `the image ${ref} is not there ("npx ballast setup --track all")`);
    // Top layers of the store are not marked as committed until something is put on them, and cannot be saved so.
    await this.#run([dockerCli, 'create', ref, 'none']);
    return { stored, contents: await createSandboxImages(this.#shell).read(ref, this.#options.signal) };
  }

  async rebuild(name: string, recipe: RebuildRecipe): Promise<MeasuredRebuild> {
    const dir = await this.#place(name, recipe);
    // What the recipes before left in the cache would spare this one its work.
    await this.#run([dockerCli, 'buildx', 'prune', '--all', '--force']);
    const first = await this.#build(name, dir, {});
    await this.#run(['/usr/bin/tee', '--append', '--', `${dir}/${recipe.change}`], recipe.append);
    const second = await this.#build(name, dir, { progress: 'rawjson' });
    const steps = parseBuildSteps(second.log);
    if (steps.length === 0) throw problem(name, 'its second build told of no steps');
    return {
      title: recipe.title,
      steps: steps.length,
      cached: steps.filter(({ cached }) => cached).length,
      share: Number((second.ms / first.ms).toFixed(3)),
    };
  }

  async #place(name: string, { lab: labId, files, dockerfile }: Exclude<ImageRecipe, { ref: string }> | RebuildRecipe) {
    const lab = this.#options.labs.get(labId);
    if (lab === undefined) throw problem(name, `there is no lab ${labId}`);
    const dir = `${home}/${name}`;
    await this.#run(['/usr/bin/mkdir', '--', dir]);
    // A wrong case holds only what differs from the solution.
    const folders = files.startsWith('wrong/') ? ['solution', files] : [files];
    for (const folder of folders) {
      const tar = packSubmission(await readSubmissionFolder(join(lab.dir, folder)));
      await this.#run(['/usr/bin/tar', '--extract', '--file=-', `--directory=${dir}`, '--no-same-owner'], tar);
    }
    if (dockerfile !== undefined) await this.#run(['/usr/bin/tee', '--', `${dir}/Dockerfile`], dockerfile);
    return dir;
  }

  async #build(name: string, dir: string, how: Partial<Pick<BuildRequest, 'tag' | 'target' | 'progress'>>) {
    const text = (await this.#run(['/usr/bin/cat', '--', `${dir}/Dockerfile`])).stdout;
    const refs = new Set(parseStages(text).map(({ from }) => from));
    const started = performance.now();
    const outcome = await dockerBuild(this.#shell, {
      context: dir,
      dockerfile: 'Dockerfile',
      ...how,
      timeoutMs: buildTimeoutMs,
      signal: this.#options.signal ?? new AbortController().signal,
    });
    const ms = performance.now() - started;
    if (outcome.status !== 'built') throw problem(name, `its build does not work:\n${outcome.log.slice(-2000)}`);
    return { ms, log: outcome.log, bases: this.#options.stored.filter(({ ref }) => refs.has(ref)) };
  }

  async #run(argv: readonly string[], stdin?: string | ReturnType<typeof packSubmission>) {
    const { signal } = this.#options;
    const result = await this.#shell.run(argv, {
      cwd: home,
      timeoutMs: 120_000,
      ...(stdin === undefined ? {} : { stdin }),
      ...(signal === undefined ? {} : { signal }),
    });
    if (result.exitCode === 0) return result;
    throw new BallastError('sandbox_failed', { message: `${argv[0] ?? ''} failed: ${result.stderr.trim()}` });
  }
}

const problem = (name: string, text: string): BallastError =>
  new BallastError('bad_request', {
    message: `The recipe "${name}" cannot be measured: ${text}.`,
    hint: 'Recipes are in measurements/recipes.yaml.',
  });

/** Whether equivalents were used, and the recipe of each: a figure of another recipe is out of date. */
async function madeBy(bases: readonly StoredImage[]): Promise<Pick<MeasuredImage, 'equivalent' | 'recipes'>> {
  const equivalents = bases.filter(({ origin }) => origin === 'equivalent').flatMap(({ ref }) => findEntry(ref) ?? []);
  const hashes = await Promise.all(equivalents.map(async (entry) => [entry.ref, await recipeHash(entry)] as const));
  return { equivalent: equivalents.length > 0, recipes: Object.fromEntries(hashes) };
}

/** The figures of an image that lessons quote. */
export function weigh({
  sizeBytes,
  packages,
  merged,
}: Pick<ImageContents, 'sizeBytes' | 'packages' | 'merged'>): Omit<MeasuredImage, 'title' | 'equivalent' | 'recipes'> {
  const entries = [...merged.values()].map(({ entry }) => entry);
  const files = entries.filter(({ type }) => type === 'file');
  const tools = new Set(entries.flatMap((entry) => executableClass(entry) ?? []));
  return {
    sizeBytes,
    packages: packages.length,
    files: files.length,
    programs: files.filter(({ mode }) => (mode & 0o111) !== 0).length,
    tools: (['shell', 'package-manager', 'compiler', 'interpreter', 'network-tool'] as const).filter((tool) =>
      tools.has(tool),
    ),
  };
}
