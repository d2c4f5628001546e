import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pack } from 'tar-stream';
import { buffer } from 'node:stream/consumers';
import type Docker from 'dockerode';
import { DindSandbox, runIn, type DindOptions, type ImageSource, type Powers } from './dind.ts';
import type { WeightSummary } from './results.ts';
import { summarise } from './statistics.ts';
import { weigh, type Weight } from './weigh.ts';
import type { Workshop } from './workshop.ts';

export interface StartRoundsOptions {
  readonly docker: Docker;
  readonly cold: Workshop;
  readonly warm: Workshop;
  readonly dind: DindOptions & { readonly powers: Powers };
  readonly tar: string;
  /** Null where there is none. */
  readonly registry: string | null;
  /** What is built: the answer to the lab, as its learner would write it. */
  readonly solutionDir: string;
  readonly say: (text: string) => void;
}

type Source = 'cold' | 'warm' | 'tar' | 'registry';
type Samples = Record<Source, number[]>;
const samples = (): Samples => ({ cold: [], warm: [], tar: [], registry: [] });

/** Times to a prompt, to a first build, and weights, each way taking turns with the others. */
export class StartRounds {
  readonly #options: StartRoundsOptions;
  readonly #prompt = samples();
  readonly #listed = samples();
  readonly #build: Record<'ballast' | 'dind', number[]> = { ballast: [], dind: [] };
  readonly #firstBuild: Record<'ballast' | 'dind', number[]> = { ballast: [], dind: [] };
  readonly #weights: Record<'idle' | 'built', Record<'ballast' | 'dind', Weight[]>> = {
    idle: { ballast: [], dind: [] },
    built: { ballast: [], dind: [] },
  };
  #context: Buffer | null = null;
  #serial = 0;

  constructor(options: StartRoundsOptions) {
    this.#options = options;
  }

  /** One round: ours, the tar, ours, the registry, ours. */
  async run(): Promise<void> {
    await this.#cold(true);
    await this.#warm();
    await this.#dind({ tar: this.#options.tar });
    await this.#cold(false);
    await this.#warm();
    const { registry } = this.#options;
    if (registry !== null) await this.#dind({ registry });
    await this.#cold(false);
    await this.#warm();
  }

  #note(source: Source, promptMs: number, listedMs: number): void {
    this.#prompt[source].push(promptMs);
    this.#listed[source].push(listedMs);
    this.#options.say(`${source}: prompt after ${promptMs.toFixed(0)} ms, all images listed ${listedMs.toFixed(0)} ms`);
  }

  async #cold(builds: boolean): Promise<void> {
    const { cold, dind, docker } = this.#options;
    const asked = performance.now();
    const { session, times } = await cold.timeStart(dind.refs);
    this.#note('cold', times.promptMs, times.listedMs);
    if (builds) {
      const id = await cold.containerOf(session);
      const paused = performance.now();
      this.#weights.idle.ballast.push(await weigh(docker, id));
      const weighing = performance.now() - paused;
      this.#built('ballast', asked + weighing, await this.#timeBuild(id, 'learner'));
      this.#weights.built.ballast.push(await weigh(docker, id));
    }
    await cold.close(session);
  }

  async #warm(): Promise<void> {
    const { warm, dind } = this.#options;
    await warm.untilPooled();
    const { session, times } = await warm.timeStart(dind.refs);
    this.#note('warm', times.promptMs, times.listedMs);
    await warm.close(session);
    // The next one is made now, and not while the next way is measured.
    await warm.untilPooled();
  }

  async #dind(from: ImageSource): Promise<void> {
    const { dind, docker } = this.#options;
    this.#serial += 1;
    const asked = performance.now();
    const name = `ballast-bench-${dind.hostId}-${String(this.#serial)}`;
    await using sandbox = await DindSandbox.create({ ...dind, name, from });
    await sandbox.untilReady();
    const prompted = await sandbox.prompt();
    const refs = (await sandbox.command('docker', 'images', '--format', '{{.Repository}}:{{.Tag}}')).trim().split('\n');
    const listed = performance.now();
    const lacking = dind.refs.filter((ref) => !refs.includes(ref));
    if (lacking.length > 0) throw new Error(`Docker-in-Docker lacks ${lacking.join(', ')}.`);
    this.#note('tar' in from ? 'tar' : 'registry', prompted - asked, listed - asked);
    if (!('tar' in from)) return;
    const paused = performance.now();
    this.#weights.idle.dind.push(await weigh(docker, sandbox.id));
    const weighing = performance.now() - paused;
    this.#built('dind', asked + weighing, await this.#timeBuild(sandbox.id, 'root'));
    this.#weights.built.dind.push(await weigh(docker, sandbox.id));
  }

  #built(way: 'ballast' | 'dind', asked: number, buildMs: number): void {
    this.#build[way].push(buildMs);
    this.#firstBuild[way].push(performance.now() - asked);
    this.#options.say(`${way}: first build took ${(buildMs / 1000).toFixed(1)} s`);
  }

  async #timeBuild(containerId: string, user: 'learner' | 'root'): Promise<number> {
    this.#context ??= await this.#packSolution();
    const started = performance.now();
    const argv = ['docker', 'build', '-q', '-t', 'greeter', '-'];
    await runIn(this.#options.docker, containerId, user, argv, this.#context);
    return performance.now() - started;
  }

  async #packSolution(): Promise<Buffer> {
    const archive = pack();
    const { solutionDir } = this.#options;
    for (const name of readdirSync(solutionDir)) archive.entry({ name }, readFileSync(join(solutionDir, name)));
    archive.finalize();
    return buffer(archive as AsyncIterable<Buffer>);
  }

  results(): {
    starts: Record<Source, ReturnType<typeof summarise>>;
    listed: Record<Source, ReturnType<typeof summarise>>;
    build: Record<'ballast' | 'dind', ReturnType<typeof summarise>>;
    firstBuild: Record<'ballast' | 'dind', ReturnType<typeof summarise>>;
    idle: Record<'ballast' | 'dind', WeightSummary>;
    built: Record<'ballast' | 'dind', WeightSummary>;
  } {
    const bySource = (all: Samples): Record<Source, ReturnType<typeof summarise>> => ({
      cold: summarise(all.cold),
      warm: summarise(all.warm),
      tar: summarise(all.tar),
      registry: summarise(all.registry),
    });
    const ways = <In, Out>(
      all: Record<'ballast' | 'dind', In>,
      map: (one: In) => Out,
    ): Record<'ballast' | 'dind', Out> => ({
      ballast: map(all.ballast),
      dind: map(all.dind),
    });
    return {
      starts: bySource(this.#prompt),
      listed: bySource(this.#listed),
      build: ways(this.#build, summarise),
      firstBuild: ways(this.#firstBuild, summarise),
      idle: ways(this.#weights.idle, summariseWeights),
      built: ways(this.#weights.built, summariseWeights),
    };
  }
}

const known = (value: number | null): value is number => value !== null;

function summariseWeights(weights: readonly Weight[]): WeightSummary {
  return {
    memory: summarise(weights.map(({ memory }) => memory)),
    pss: summarise(weights.map(({ pss }) => pss).filter(known)),
    disk: summarise(weights.map(({ disk }) => disk).filter(known)),
  };
}
