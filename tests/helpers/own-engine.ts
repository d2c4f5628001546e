import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import Docker from 'dockerode';
import { connectDocker } from '../../sandbox-server/engines/docker/connect.ts';
import type { Engine } from '../../sandbox-server/engines/engine.ts';
import { findProgram } from '../../sandbox-server/setup/host-system.ts';
import { runProgram } from '../../sandbox-server/setup/run-program.ts';
import type { Base } from './server.ts';

const startMs = 60_000;

/** Why a second engine cannot be started here, or null. */
export function whyNoOwnEngine(): string | null {
  if (process.platform !== 'linux') return 'a second Docker Engine needs Linux';
  if (process.getuid?.() !== 0) return 'a second Docker Engine needs root';
  for (const program of ['dockerd', 'unshare']) {
    if (findProgram(program) === null) return `there is no ${program} on this machine`;
  }
  return null;
}

/** A Docker Engine of the test's own beside the host's: it can be restarted, and its disk filled, and nobody else notices. */
export class OwnEngine implements AsyncDisposable {
  readonly #folder: string;
  readonly #mounted: string | null;
  #process: ChildProcess | null = null;

  private constructor(folder: string, mounted: string | null) {
    this.#folder = folder;
    this.#mounted = mounted;
  }

  /**
   * Starts one, with what a server needs: the sandbox image, and the store of base images, which it shares with the host's.
   * @param diskBytes its data has a file system of its own of this size
   * @returns it, and the base for servers on it
   */
  static async start(base: Base, diskBytes?: number): Promise<{ readonly own: OwnEngine; readonly base: Base }> {
    const folder = mkdtempSync(join(tmpdir(), 'ballast-engine-'));
    const data = join(folder, 'data');
    mkdirSync(data);
    // Not the host's settings.
    writeFileSync(join(folder, 'daemon.json'), '{}');
    if (diskBytes !== undefined) {
      const disk = join(folder, 'disk.img');
      await runProgram('truncate', ['--size', String(diskBytes), disk]);
      await runProgram('mkfs.ext4', ['-q', '-m', '0', disk]);
      await runProgram('mount', ['-o', 'loop', disk, data]);
    }
    const own = new OwnEngine(folder, diskBytes === undefined ? null : data);
    try {
      const engine = await own.startEngine();
      await own.#furnish(base);
      return { own, base: { ...base, engine } };
    } catch (error) {
      await own[Symbol.asyncDispose]();
      throw error;
    }
  }

  get #socket(): string {
    return join(this.#folder, 'docker.sock');
  }

  get dataDir(): string {
    return join(this.#folder, 'data');
  }

  /** Starts its process. @throws with the end of its log when it does not answer */
  async startEngine(): Promise<Engine> {
    const name = basename(this.#folder);
    const log = openSync(join(this.#folder, 'log'), 'a');
    const child = spawn(
      // In a network of its own: an engine takes the bridge docker0 for its own, and removes it when it wants none.
      'unshare',
      [
        ...['--net', '--', 'dockerd', '--host', `unix://${this.#socket}`, '--data-root', this.dataDir],
        ...['--exec-root', join(this.#folder, 'exec'), '--pidfile', join(this.#folder, 'pid')],
        ...['--config-file', join(this.#folder, 'daemon.json'), '--bridge', 'none', '--iptables=false'],
        // A containerd that the whole machine shares is shared by name only.
        ...['--containerd-namespace', name, '--containerd-plugins-namespace', `${name}-plugins`],
      ],
      { stdio: ['ignore', log, log], env: { ...process.env, DOCKER_HOST: undefined } },
    );
    closeSync(log);
    this.#process = child;
    const until = performance.now() + startMs;
    for (;;) {
      const engine = await connectDocker({ DOCKER_HOST: `unix://${this.#socket}` }).catch(() => null);
      if (engine !== null) return engine;
      if (child.exitCode !== null || performance.now() > until) {
        throw new Error(
          `The second engine does not answer:\n${readFileSync(join(this.#folder, 'log'), 'utf8').slice(-3000)}`,
        );
      }
      await delay(50);
    }
  }

  /** Ends its process, and with it all its containers. */
  async stopEngine(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child?.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }

  async #furnish({ prepared }: Base): Promise<void> {
    const host = new Docker();
    const own = new Docker({ socketPath: this.#socket });
    const image = await host.getImage(prepared.image).get();
    const loaded = await own.loadImage(image);
    await pipeline(loaded, async (answer) => {
      for await (const chunk of answer) if (String(chunk).includes('"error"')) throw new Error(String(chunk));
    });
    const store = await host.getVolume(prepared.store.volume).inspect();
    await own.createVolume({
      Name: prepared.store.volume,
      Labels: store.Labels,
      DriverOpts: { type: 'none', o: 'bind,ro', device: store.Mountpoint },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopEngine();
    if (this.#mounted !== null) await runProgram('umount', [this.#mounted]);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
