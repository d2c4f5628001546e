import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEngineShell } from '../../sandbox-server/checks/engine-shell.ts';
import type { RunResult } from '../../sandbox-server/checks/sandbox-shell.ts';
import type { Lab } from '../../sandbox-server/labs/index.ts';
import { TestServer, type Base, type TestServerOptions, type TestSession } from './server.ts';
import { untilReady } from './socket.ts';

/** Twice as long as the longest build takes on a busy machine. */
const buildMs = 600_000;

/** A learner's sandbox in a lab that fetches packages. */
export interface PackagesSeat {
  readonly session: TestSession;
  readonly sandboxId: string;
  bash(script: string, timeoutMs?: number): Promise<RunResult>;
  /** Builds a Dockerfile with these files beside it, in a folder of its own; returns all that the build printed. */
  build(files: Readonly<Record<string, string>>, tag?: string): Promise<{ exitCode: number; output: string }>;
}

/** A server with one lab more, "packages", which has no checks to speak of and may fetch packages. */
export async function openPackagesServer(
  base: Base,
  options: TestServerOptions = {},
): Promise<{ readonly server: TestServer; seat(lab?: string): Promise<PackagesSeat>; close(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'ballast-test-lab-'));
  mkdirSync(join(folder, 'start'));
  const [model] = base.labs.values();
  const lab: Lab = {
    ...model!,
    id: 'packages',
    network: 'packages',
    images: [],
    startDir: join(folder, 'start'),
    limits: {},
  };
  const server = new TestServer(base, { ...options, labs: new Map([...base.labs, [lab.id, lab]]) });
  const close = async (): Promise<void> => {
    await server[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await server.start();
  } catch (error) {
    await close();
    throw error;
  }
  return { server, seat: (lab = 'packages') => openSeat(base, server, lab), close };
}

async function openSeat({ engine }: Base, server: TestServer, lab: string): Promise<PackagesSeat> {
  const before = new Set((await engine.listSandboxes({ 'ballast.host': server.hostId })).map(({ id }) => id));
  const session = await server.createSession(lab);
  await untilReady(server, session);
  const all = await engine.listSandboxes({ 'ballast.host': server.hostId });
  const sandboxId = all.find(({ id }) => !before.has(id))!.id;
  const shell = createEngineShell(engine, sandboxId);
  const bash = (script: string, timeoutMs = buildMs): Promise<RunResult> =>
    shell.run(['/bin/bash', '-uc', script], { cwd: '/home/learner', timeoutMs });
  return {
    session,
    sandboxId,
    bash,
    async build(files, tag = 'built') {
      const folder = `/home/learner/build-${randomBytes(4).toString('hex')}`;
      await shell.run(['/usr/bin/mkdir', folder]);
      for (const [name, content] of Object.entries(files)) {
        await shell.run(['/usr/bin/install', '-D', '/dev/stdin', `${folder}/${name}`], { stdin: content });
      }
      const argv = ['/usr/bin/docker', 'build', '--progress=plain', '--no-cache', `--tag=${tag}`, folder];
      const { exitCode, stdout, stderr } = await shell.run(argv, { timeoutMs: buildMs });
      return { exitCode, output: stdout + stderr };
    },
  };
}
