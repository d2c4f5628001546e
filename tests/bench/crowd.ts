import type Docker from 'dockerode';
import type { TestSession } from '../helpers/server.ts';
import { runIn } from './dind.ts';
import { openBallastLine, openExecLine, type LineKind } from './lines.ts';
import { summarise, type Summary } from './statistics.ts';
import { weigh } from './weigh.ts';
import type { Workshop } from './workshop.ts';

/** Compiles the standard library each time anew: a busy learner. */
const buildUntilTold = `
cd ~/*/ && rm -f /tmp/enough
until [ -e /tmp/enough ]; do docker build -q --no-cache -t busy . > /dev/null 2>&1 || true; done
`;
const enough = 'touch /tmp/enough; pkill -x docker || true';

/** Sandboxes that are open at the same time: one that is typed in, some that build, others that only wait. */
export class Crowd {
  readonly #docker: Docker;
  readonly #workshop: Workshop;
  readonly #idle: { readonly session: TestSession; readonly containerId: string }[] = [];
  readonly #builders: string[] = [];
  #lines = 0;

  constructor(docker: Docker, workshop: Workshop) {
    this.#docker = docker;
    this.#workshop = workshop;
  }

  async #open(): Promise<{ session: TestSession; containerId: string }> {
    const session = await this.#workshop.open();
    return { session, containerId: await this.#workshop.containerOf(session) };
  }

  async addBuilders(count: number): Promise<void> {
    for (let n = 0; n < count; n += 1) this.#builders.push((await this.#open()).containerId);
  }

  /** Opens sandboxes, all asked for at once, until so many wait. @returns ms until the last was ready */
  async growTo(count: number): Promise<number> {
    const started = performance.now();
    const missing = Math.max(0, count - this.#idle.length);
    this.#idle.push(...(await Promise.all(Array.from({ length: missing }, () => this.#open()))));
    return performance.now() - started;
  }

  get size(): number {
    return this.#idle.length;
  }

  /** The engine's id of the sandbox that is typed in. */
  get typedIn(): string {
    return this.#idle[0]?.containerId ?? '';
  }

  /** The ways to its shell that need nothing else. */
  lines(): LineKind[] {
    const { session, containerId } = this.#idle[0]!;
    return [
      {
        name: 'ballast',
        open: () => openBallastLine(this.#workshop.url, session, `bench-${String((this.#lines += 1))}`),
      },
      { name: 'exec', open: () => openExecLine(this.#docker, containerId) },
    ];
  }

  /** Memory of each that waits, in bytes. */
  async memoryEach(): Promise<Summary | null> {
    const weights: number[] = [];
    for (const { containerId } of this.#idle) weights.push((await weigh(this.#docker, containerId)).memory);
    return summarise(weights);
  }

  /** Builds go on in the builders while `task` runs. */
  async whileBuilding<Result>(task: () => Promise<Result>): Promise<Result> {
    const builds = this.#builders.map((id) => runIn(this.#docker, id, 'learner', ['/bin/bash', '-uc', buildUntilTold]));
    try {
      return await task();
    } finally {
      for (const id of this.#builders) await runIn(this.#docker, id, 'learner', ['/bin/bash', '-uc', enough]);
      await Promise.all(builds);
    }
  }
}
