import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'vitest';
import { runProgram } from '../../sandbox-server/setup/run-program.ts';
import { createEngineShell } from '../../sandbox-server/checks/engine-shell.ts';
import type { RunResult, SandboxShell } from '../../sandbox-server/checks/sandbox-shell.ts';
import { prepareBase, TestServer, type Base, type TestServerOptions, type TestSession } from './server.ts';
import { untilReady } from './socket.ts';

const home = '/home/learner';
const image = 'debian:trixie-slim';

/** Everything that a learner can ask the engine in the sandbox for, but `--privileged`, which it refuses at once. */
export const allPowers = [
  '--cap-add=ALL',
  '--security-opt=seccomp=unconfined',
  '--pid=host',
  '--ipc=host',
  '--uts=host',
  '--network=host',
  '--volume=/:/host',
];

/** One learner's sandbox, as a test attacks from it or looks after it. */
export interface Seat {
  readonly session: TestSession;
  readonly containerId: string;
  readonly shell: SandboxShell;
  /** Runs a constant script as the learner, from a shell of the sandbox. */
  bash(script: string, timeoutMs?: number): Promise<RunResult>;
  /** The same as root of a container with all powers that the learner can give it; the sandbox is at /host. */
  inContainer(script: string, powers?: readonly string[]): Promise<RunResult>;
}

/** A server with an attacker and a neighbour who must notice nothing. */
export interface Arena extends AsyncDisposable {
  readonly base: Base;
  readonly server: TestServer;
  readonly attacker: Seat;
  readonly neighbour: Seat;
  seat(): Promise<Seat>;
  /** The server answers, and the neighbour's engine runs a container from an intact base image. */
  othersAreWell(): Promise<void>;
}

function seatOf(base: Base, session: TestSession, containerId: string): Seat {
  const shell = createEngineShell(base.engine, containerId);
  const bash = (script: string, timeoutMs = 60_000): Promise<RunResult> =>
    shell.run(['/bin/bash', '-uc', script], { cwd: home, timeoutMs });
  const inContainer = (script: string, powers: readonly string[] = allPowers): Promise<RunResult> =>
    shell.run(['/usr/bin/docker', 'run', '--rm', ...powers, image, 'bash', '-uc', script], { cwd: home });
  return { session, containerId, shell, bash, inContainer };
}

async function openSeat(base: Base, server: TestServer): Promise<Seat> {
  const session = await server.createSession();
  await untilReady(server, session);
  // By what is in it: a sandbox may have been made before its session.
  const { id, token, created } = session;
  const mark = { token, body: Buffer.from(id), headers: { 'content-type': 'application/octet-stream' } };
  expect(await server.ask('PUT', `/api/sessions/${id}/files/.seat`, mark)).toMatchObject({ status: 204 });
  for (const sandbox of await base.engine.listSandboxes({ 'ballast.host': server.hostId })) {
    const seat = seatOf(base, session, sandbox.id);
    if ((await seat.bash(`cat ${created.lab}/.seat`)).stdout === id) return seat;
  }
  throw new Error('No sandbox of the server is that of the session.');
}

/** What a sandbox's engine and the kernel last said, for a failure that cannot be had again at will. */
async function lastSigns({ engine }: Base, { containerId, ...seat }: Seat): Promise<string> {
  const memory = await seat.bash('cat /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control; ps -ef');
  const kernel = await runProgram('dmesg', []).catch(() => '');
  return `\n${await engine.tailLog(containerId, 20)}\n${memory.stdout}\n${kernel.split('\n').slice(-20).join('\n')}`;
}

/**
 * Starts a server with two learners in it.
 * @param ownBase on another engine than the host's
 */
export async function openArena(options: TestServerOptions = {}, ownBase: Base | null = null): Promise<Arena> {
  const folder = mkdtempSync(join(tmpdir(), 'ballast-test-home-'));
  const base = ownBase ?? (await prepareBase(folder));
  const server = new TestServer(base, options);
  const seat = (): Promise<Seat> => openSeat(base, server);
  const close = async (): Promise<void> => {
    await server[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await server.start();
    const attacker = await seat();
    const neighbour = await seat();
    const digest = base.prepared.store.images.find(({ ref }) => ref === image)?.digest;
    return {
      base,
      server,
      attacker,
      neighbour,
      seat,
      async othersAreWell() {
        expect((await server.ask('GET', '/api/health')).json).toMatchObject({ status: 'ok' });
        expect(await server.session(neighbour.session)).toMatchObject({ state: 'ready' });
        const ran = await neighbour.bash(`docker run --rm ${image} echo well && docker inspect -f {{.Id}} ${image}`);
        const why = ran.exitCode === 0 ? '' : await lastSigns(base, neighbour);
        expect(ran, ran.stderr + why).toMatchObject({ exitCode: 0, stdout: `well\n${String(digest)}\n` });
      },
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * Runs a script that prints "holding" when it has taken all it can and gives it back when its input ends; `meanwhile`
 * runs in between. Returns what it printed before.
 */
export async function holding(
  { engine }: Base,
  seat: Seat,
  script: string,
  meanwhile: () => Promise<void>,
): Promise<string> {
  const exec = await engine.exec(seat.containerId, { argv: ['/bin/bash', '-uc', script], user: 'learner', cwd: home });
  exec.stderr.resume();
  let said = '';
  const lines = createInterface({ input: exec.stdout });
  for await (const line of lines) {
    if (line === 'holding') {
      try {
        await meanwhile();
      } finally {
        exec.stdin.end();
      }
    } else {
      said += `${line}\n`;
    }
  }
  await exec.exitCode();
  return said;
}

/** System calls by number, on x86-64 and on 64-bit Arm. */
const callNumbers: Readonly<Record<string, readonly [x64: number, arm64: number]>> = {
  acct: [163, 89],
  add_key: [248, 217],
  bpf: [321, 280],
  finit_module: [313, 273],
  init_module: [175, 105],
  delete_module: [176, 106],
  io_uring_setup: [425, 425],
  kexec_load: [246, 104],
  keyctl: [250, 219],
  mknodat: [259, 33],
  open_by_handle_at: [304, 265],
  perf_event_open: [298, 241],
  ptrace: [101, 117],
  quotactl: [179, 60],
  reboot: [169, 142],
  settimeofday: [164, 170],
  swapon: [167, 224],
  syslog: [103, 116],
  userfaultfd: [323, 282],
};

/** A line of Perl that makes a system call with these arguments (Perl's own; $path and $buffer are strings) and prints its name and the error's name. */
export function systemCall(name: string, args = '0, 0, 0, 0, 0'): string {
  const [x64, arm64] = callNumbers[name]!;
  return `/usr/bin/perl -MErrno -MPOSIX -e '
    my $nr = (POSIX::uname())[4] eq "aarch64" ? ${String(arm64)} : ${String(x64)};
    my ($path, $buffer) = ("/tmp/device", "x" x 64);
    my $got = syscall($nr, ${args});
    my ($error) = grep { $got == -1 && $!{$_} } qw(EPERM EACCES ENOSYS EINVAL EFAULT ESRCH EBADF ENODEV ENOENT);
    print "${name} ", $got == -1 ? $error // 0 + $! : "DONE", "\\n";'\n`;
}
