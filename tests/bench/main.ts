/**
 * Ballast beside the usual way, measured in one run: `npx ballast bench [--quick] [--out FOLDER]`. Writes bench.json,
 * bench.md and images/bench-*.svg into the folder, and a table to standard output. Whatever it makes in the engine is
 * gone when it ends, on Ctrl-C too.
 */
import { randomBytes } from 'node:crypto';
import { createWriteStream, mkdtempSync, rmSync, statSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import Docker from 'dockerode';
import { z } from 'zod';
import { prepareFor } from '../../sandbox-server/cli/prepare-for.ts';
import { projectRoot } from '../../sandbox-server/cli/project.ts';
import { report } from '../../sandbox-server/cli/report.ts';
import { execProgram } from '../../sandbox-server/engines/docker/exec.ts';
import { findRegistryServer, TestRegistry } from '../helpers/registry.ts';
import { Crowd } from './crowd.ts';
import { DindSandbox, findPowers, type DindOptions, type Powers } from './dind.ts';
import { measureEcho, measureFlood, type ByLine } from './echo.ts';
import { writeReport } from './report.ts';
import type { BenchResults } from './results.ts';
import { StartRounds } from './start-rounds.ts';
import type { Summary } from './statistics.ts';
import { sweep } from './sweep.ts';
import { startWetty } from './wetty.ts';
import { Workshop } from './workshop.ts';

const lab = 'multi-stage-go';
/** The level at which all ways to a shell are compared. */
const comparedAt = 30;
/** No further round of starts is begun after this: the whole run is to take about a quarter of an hour. */
const roundsWithinMs = 330_000;
const plans = {
  full: { rounds: 3, levels: [1, 10, comparedAt, 60], keys: 240, comparedKeys: 3000, floods: 3 },
  quick: { rounds: 1, levels: [1, 4], keys: 60, comparedKeys: 60, floods: 1 },
} as const;

const { values } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, out: { type: 'string', default: join(projectRoot, 'docs') } },
});
const { quick, out } = values;
const plan = quick ? plans.quick : plans.full;
const comparedLevel = quick ? 4 : comparedAt;
const began = performance.now();
const say = (text: string): void => {
  process.stderr.write(`[${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s] ${text}\n`);
};

/** A registry that the rival's containers can reach, with the base images in it. */
async function fillRegistry(
  stack: AsyncDisposableStack,
  dind: DindOptions & { readonly powers: Powers },
  tar: string,
  folder: string,
): Promise<{ readonly host: string } | { readonly missing: string }> {
  const program = await findRegistryServer(folder);
  if ('missing' in program) return program;
  const bridge: unknown = await dind.docker.getNetwork('bridge').inspect();
  const gateway = z.object({ IPAM: z.object({ Config: z.array(z.object({ Gateway: z.string() })) }) }).safeParse(bridge)
    .data?.IPAM.Config[0]?.Gateway;
  if (gateway === undefined) return { missing: 'the engine has no network with a gateway' };
  const registry = stack.use(await TestRegistry.start(program.path, { address: gateway, open: true }));
  say('Pushing the base images to a registry on this machine');
  await using pusher = await DindSandbox.create({
    ...dind,
    name: `ballast-bench-${dind.hostId}-push`,
    from: { tar, registry: registry.host },
  });
  await pusher.untilReady();
  for (const ref of dind.refs) {
    const there = `${registry.host}/${ref}`;
    await pusher.command('docker', 'tag', ref, there);
    await pusher.command('docker', 'push', '-q', there);
  }
  return { host: registry.host };
}

async function bench(stack: AsyncDisposableStack, hostId: string): Promise<BenchResults> {
  const loadBefore = loadavg()[0] ?? 0;
  const { prepared, labs } = await prepareFor({ withSite: true });
  const { engine, image, store } = prepared;
  const docker = new Docker();
  const refs = store.images.map(({ ref }) => ref);
  const missing: string[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'ballast-bench-'));
  stack.defer(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  stack.defer(() => sweep(docker, hostId));

  say('Saving the base images as a tar');
  const cold = stack.use(await Workshop.start(engine, lab, 0));
  const tar = join(folder, 'images.tar');
  await saveImages(docker, cold, refs, tar);
  const unpowered = { docker, image, refs, hostId };
  const dind = { ...unpowered, powers: await findPowers(unpowered) };
  const registry = await fillRegistry(stack, dind, tar, folder);
  if ('missing' in registry) missing.push(`Docker-in-Docker with a registry: ${registry.missing}`);

  say('Starts: each way in its turn');
  const warm = await Workshop.start(engine, lab, 1);
  stack.use(warm);
  const rounds = new StartRounds({
    docker,
    cold,
    warm,
    dind,
    tar,
    registry: 'host' in registry ? registry.host : null,
    solutionDir: labs.get(lab)!.solutionDir,
    say,
  });
  for (let round = 0; round < plan.rounds; round += 1) {
    if (round === 0 || performance.now() - began < roundsWithinMs) await rounds.run();
    else say('The next round of starts is left out: this machine takes too long for it');
  }
  await warm[Symbol.asyncDispose]();

  const crowd = new Crowd(docker, cold);
  const crowded = await measureCrowd(crowd, stack, folder);
  const { version, storageDriver, cgroupVersion } = await engine.info();
  return {
    at: new Date().toISOString(),
    quick,
    seconds: Math.round((performance.now() - began) / 1000),
    machine: {
      processor: cpus()[0]?.model ?? 'unknown',
      cores: availableParallelism(),
      memory: totalmem(),
      kernel: release(),
      engine: version,
      storageDriver,
      cgroups: cgroupVersion,
      loadBefore,
    },
    images: { refs, tarBytes: statSync(tar).size },
    lab,
    powers:
      dind.powers.Privileged === true
        ? '--privileged'
        : `${String((dind.powers.CapAdd as string[]).length)} capabilities`,
    ...rounds.results(),
    ...crowded,
    missing: [...missing, ...crowded.missing],
  };
}

async function saveImages(docker: Docker, workshop: Workshop, refs: readonly string[], file: string): Promise<void> {
  const session = await workshop.open();
  const argv = ['/usr/bin/docker', 'save', ...refs];
  const saved = await execProgram(docker, await workshop.containerOf(session), { argv });
  saved.stderr.resume();
  await pipeline(saved.stdout, createWriteStream(file));
  if ((await saved.exitCode()) !== 0) throw new Error('The base images could not be saved.');
  await workshop.close(session);
}

type Crowded = Pick<BenchResults, 'quietEcho' | 'levels' | 'flood' | 'echoValues' | 'comparedAt' | 'wetty' | 'missing'>;

/** Ever more sandboxes, two of them building, and how long a key takes in one of the others. */
async function measureCrowd(crowd: Crowd, stack: AsyncDisposableStack, folder: string): Promise<Crowded> {
  const missing: string[] = [];
  const levels: BenchResults['levels'] = [];
  let flood: BenchResults['flood'] = {};
  let echoValues: BenchResults['echoValues'] = {};
  await crowd.addBuilders(2);
  await crowd.growTo(1);
  say('Installing wetty');
  const wetty = await startWetty(folder, crowd.typedIn);
  if ('kind' in wetty) stack.use(wetty);
  else missing.push(`The terminal of wetty: ${wetty.missing}`);
  const all = [...crowd.lines(), ...('kind' in wetty ? [wetty.kind] : [])];
  const quietEcho = summaries(await measureEcho(all, plan.keys));
  for (const sandboxes of plan.levels) {
    const before = crowd.size;
    const grownMs = await crowd.growTo(sandboxes);
    const memoryEach = await crowd.memoryEach();
    const compared = sandboxes === comparedLevel;
    say(`${String(sandboxes)} sandboxes; keys are typed while two more build`);
    const echo = await crowd.whileBuilding(async () => {
      const typed = await measureEcho(compared ? all : crowd.lines(), compared ? plan.comparedKeys : plan.keys);
      if (compared) flood = await measureFlood(all, plan.floods);
      return typed;
    });
    if (compared) echoValues = Object.fromEntries(Object.entries(echo).map(([name, one]) => [name, sorted(one.all)]));
    const level = { sandboxes, building: 2, grownMs, grownBy: sandboxes - before, memoryEach, echo: summaries(echo) };
    levels.push(level);
    say(formatEcho(level.echo));
  }
  const version = 'kind' in wetty ? wetty.version : null;
  return { quietEcho, levels, flood, echoValues, comparedAt: comparedLevel, wetty: version, missing };
}

const sorted = (all: readonly number[]): number[] => all.map((value) => Number(value.toFixed(2))).sort((a, b) => a - b);

const summaries = (echo: ByLine<{ readonly summary: Summary | null }>): BenchResults['quietEcho'] =>
  Object.fromEntries(Object.entries(echo).map(([name, { summary }]) => [name, summary]));

const formatEcho = (echo: BenchResults['quietEcho']): string =>
  Object.entries(echo)
    .map(([name, one]) => `${name}: echo p50 ${one?.median.toFixed(1) ?? '–'} ms, p99 ${one?.p99.toFixed(1) ?? '–'} ms`)
    .join('; ');

/** Removes all that was made, also when it is told to stop. */
class Clearing {
  readonly stack = new AsyncDisposableStack();
  #done: Promise<void> | null = null;

  get begun(): boolean {
    return this.#done !== null;
  }

  run(): Promise<void> {
    return (this.#done ??= this.stack.disposeAsync());
  }
}

const clearing = new Clearing();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    say('Stopped: clearing up');
    void clearing.run().finally(() => process.exit(130));
  });
}
try {
  const results = await bench(clearing.stack, `bench-${randomBytes(6).toString('hex')}`);
  await writeReport(results, out);
} catch (error) {
  // What fails because everything is being taken away is no news.
  if (!clearing.begun) process.exitCode = report(error);
} finally {
  await clearing.run();
}
