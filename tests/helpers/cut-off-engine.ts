import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findProgram, readHostSystem } from '../../sandbox-server/setup/host-system.ts';

const startTimeoutMs = 60_000;

/** Why there can be no engine of a test's own here; null where there can. */
export function whyNoEngine(): string | null {
  const { platform, isRoot } = readHostSystem();
  if (platform !== 'linux' || !isRoot) return 'a Docker Engine of its own needs root on Linux';
  const missing = ['dockerd', 'unshare', 'nsenter', 'ip'].filter((name) => findProgram(name) === null);
  return missing.length === 0 ? null : `${missing.join(', ')} is not installed`;
}

/** A Docker Engine with nothing in it, in a network namespace with a loopback device and no route to anywhere. */
export class CutOffEngine implements AsyncDisposable {
  readonly #folder: string;
  readonly #process: ChildProcess;

  private constructor(folder: string, process: ChildProcess) {
    this.#folder = folder;
    this.#process = process;
  }

  /** Starts it, and waits until it answers. */
  static async start(): Promise<CutOffEngine> {
    const folder = mkdtempSync(join(tmpdir(), 'cut-off-'));
    // Not the host's settings.
    writeFileSync(join(folder, 'daemon.json'), '{}');
    const log = openSync(join(folder, 'log'), 'a');
    const child = spawn(
      'unshare',
      [
        ...['--net', '--', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', findProgram('dockerd') ?? 'dockerd'],
        ...['--config-file', join(folder, 'daemon.json')],
        ...['--data-root', join(folder, 'data'), '--exec-root', join(folder, 'exec')],
        ...['--pidfile', join(folder, 'pid'), '--host', `unix://${join(folder, 'sock')}`],
        ...['--bridge', 'none', '--iptables=false', '--log-level', 'warn'],
      ],
      { stdio: ['ignore', log, log] },
    );
    closeSync(log);
    const engine = new CutOffEngine(folder, child);
    const deadline = Date.now() + startTimeoutMs;
    while (!engine.#answers()) {
      if (child.exitCode !== null || Date.now() > deadline) {
        const said = readFileSync(join(folder, 'log'), 'utf8');
        await engine[Symbol.asyncDispose]();
        throw new Error(`dockerd did not start:\n${said}`);
      }
      await delay(100);
    }
    return engine;
  }

  #answers(): boolean {
    try {
      this.docker('version');
      return true;
    } catch {
      return false;
    }
  }

  get dockerHost(): string {
    return `unix://${join(this.#folder, 'sock')}`;
  }

  /** The docker command on this engine. @returns its output */
  docker(...args: string[]): string {
    return execFileSync('docker', ['--host', this.dockerHost, ...args], { encoding: 'utf8', stdio: 'pipe' });
  }

  /** Program and arguments that run a program in the engine's network. */
  inside(program: string, ...args: string[]): [string, string[]] {
    return ['nsenter', ['--net', `--target=${String(this.#process.pid)}`, '--', program, ...args]];
  }

  /** Ends it with all that is in it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null) {
      if (this.#answers()) {
        const containers = this.docker('ps', '--all', '--quiet').split('\n').filter(Boolean);
        if (containers.length > 0) this.docker('rm', '--force', '--volumes', ...containers);
      }
      const ended = once(this.#process, 'exit');
      this.#process.kill('SIGTERM');
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
