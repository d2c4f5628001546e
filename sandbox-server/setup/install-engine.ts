import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, closeSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Engine, Progress } from '../engines/engine.ts';
import { BallastError } from '../protocol/index.ts';
import { installDebianPackages } from './install-packages.ts';
import { findProgram, type HostSystem } from './host-system.ts';
import { runProgram } from './run-program.ts';

const startTimeoutMs = 60_000;

const pidFile = (home: string): string => join(home, 'engine.pid');
const logFile = (home: string): string => join(home, 'engine.log');

/** Last lines of the log of the engine that we started, for an error's message. */
function lastLogLines(home: string): string {
  const file = logFile(home);
  return existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n').slice(-8).join('\n') : '';
}

/** Started in its own session with a log file: no script hangs on it, and it outlives us. */
function startDetached(dockerd: string, home: string): number {
  mkdirSync(home, { recursive: true });
  const out = openSync(logFile(home), 'a');
  const child = spawn(dockerd, [], { detached: true, stdio: ['ignore', out, out] });
  closeSync(out);
  child.on('error', () => undefined);
  child.unref();
  if (child.pid === undefined) throw new BallastError('engine_failed', { message: `${dockerd} could not be started.` });
  writeFileSync(pidFile(home), String(child.pid));
  return child.pid;
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

async function waitForEngine(connect: () => Promise<Engine>, alive: () => boolean, home: string): Promise<Engine> {
  const deadline = Date.now() + startTimeoutMs;
  for (;;) {
    try {
      return await connect();
    } catch (error) {
      if (!(error instanceof BallastError) || error.code !== 'engine_missing') throw error;
      if (!alive() || Date.now() > deadline) {
        throw new BallastError('engine_failed', {
          message: `The Docker Engine was started but does not answer:\n${lastLogLines(home)}`,
          hint: `Its log: ${logFile(home)}`,
          cause: error,
        });
      }
    }
    await delay(200);
  }
}

/**
 * Connects to an engine; where there is none, and we are root on Debian or Ubuntu, installs and starts docker.io.
 * @param connect tries to reach an engine: DOCKER_HOST, the docker context, the default socket
 * @param home folder for the log and process id of an engine that had to be started
 * @returns the engine and what had to be done to have it
 * @throws BallastError engine_missing with what to do, where we may not install one; engine_failed when it won't start
 */
export async function ensureEngine(
  connect: () => Promise<Engine>,
  options: { host: HostSystem; home: string; environment: NodeJS.ProcessEnv; progress: Progress },
): Promise<{ engine: Engine; done: string }> {
  const { host, home, environment, progress } = options;
  try {
    return { engine: await connect(), done: 'found' };
  } catch (error) {
    if (!(error instanceof BallastError) || error.code !== 'engine_missing') throw error;
    if ((environment['DOCKER_HOST'] ?? '') !== '') throw error;
    if (!host.isRoot || host.platform !== 'linux') throw explainMissing(host, error);
  }
  const steps: string[] = [];
  if (findProgram('dockerd') === null) {
    if (!host.isDebianLike) throw explainMissing(host);
    progress({ text: 'No Docker Engine here: installing docker.io with apt-get' });
    await installDebianPackages(['docker.io', 'iptables'], progress);
    steps.push('docker.io installed');
  }
  progress({ text: 'Starting the Docker Engine' });
  const dockerd = findProgram('dockerd');
  if (dockerd === null)
    throw new BallastError('engine_failed', { message: 'docker.io was installed, but there is no dockerd.' });
  let alive = (): boolean => true;
  if (host.hasSystemd) {
    await runProgram('systemctl', ['start', 'docker'], { hint: 'See "journalctl -u docker".' });
  } else {
    const pid = startDetached(dockerd, home);
    alive = () => isAlive(pid);
  }
  const engine = await waitForEngine(connect, alive, home);
  steps.push('engine started (end it with "npx ballast engine stop")');
  return { engine, done: steps.join(', ') };
}

function explainMissing(host: HostSystem, cause?: unknown): BallastError {
  const hint =
    host.platform === 'darwin' || host.platform === 'win32'
      ? 'Install and start Docker Desktop (or Colima, Rancher Desktop), then try again.'
      : host.isDebianLike
        ? 'Run this as root once and Ballast installs docker.io itself; or: sudo apt-get install docker.io, then add yourself to the group "docker".'
        : `Install Docker Engine 20.10 or newer from your distribution (${host.name}) and start it, then try again.`;
  return new BallastError('engine_missing', { hint, cause });
}

/**
 * Ends the engine that set-up had started, if it did.
 * @returns whether there was one to end
 */
export async function stopEngine(home: string): Promise<boolean> {
  const file = pidFile(home);
  if (!existsSync(file)) return false;
  const pid = Number(readFileSync(file, 'utf8'));
  rmSync(file);
  // The id may have been given to another program since.
  if (!Number.isSafeInteger(pid) || pid <= 1 || !isAlive(pid) || !isDockerd(pid)) return false;
  process.kill(pid, 'SIGTERM');
  const deadline = Date.now() + 30_000;
  while (isAlive(pid) && Date.now() < deadline) await delay(100);
  return true;
}

function isDockerd(pid: number): boolean {
  const comm = `/proc/${String(pid)}/comm`;
  return !existsSync(comm) || readFileSync(comm, 'utf8').trim() === 'dockerd';
}
