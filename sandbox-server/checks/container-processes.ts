import { BallastError } from '../protocol/index.ts';
import type { CheckContext } from './check-kind.ts';

export interface ContainerProcess {
  readonly pid: number;
  readonly parent: number;
  /** As ps shows it: Z for a zombie, T for one that is stopped. */
  readonly state: string;
  readonly command: string;
}

const shortMs = 20_000;

/** Whether the kernel's name of a process is that of a shell; busybox is named so where it is one. */
export const isShellName = (command: string): boolean => /^(ba|da|a)?sh$|^busybox$/.test(command);

/**
 * The processes of a container; none when its first one has ended.
 * @param root pid of its first process in the sandbox
 */
export async function listProcesses(root: number, { shell, signal }: CheckContext): Promise<ContainerProcess[]> {
  // Not docker top: it asks the control groups, which a rootless engine may not have.
  const argv = ['/usr/bin/ps', '-e', '-o', 'pid=,ppid=,stat=,comm='];
  const answer = await shell.run(argv, { timeoutMs: shortMs, signal });
  if (answer.exitCode !== 0) throw new BallastError('engine_failed', { message: answer.stderr.trim() });
  return parseProcesses(answer.stdout, root);
}

/**
 * The processes of a container out of a table of all: its first one, which comes first, and all that descend from it.
 * What an exec leaves behind becomes a child of the first process, too; what it runs, a health check say, is none of them.
 * @param table lines of pid, parent's pid, state and command
 * @param root pid of the container's first process
 */
export function parseProcesses(table: string, root: number): ContainerProcess[] {
  const all = table.split('\n').flatMap((line) => {
    const [, pid, parent, state = '', command = ''] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.+?)\s*$/.exec(line) ?? [];
    if (pid === undefined) return [];
    return [{ pid: Number(pid), parent: Number(parent), state, command: command.replace(/ <defunct>$/, '') }];
  });
  const children = Map.groupBy(all, ({ parent }) => parent);
  const found = new Map<number, ContainerProcess>();
  const pending = all.filter(({ pid }) => pid === root);
  for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
    // Tables change while they are read: nobody is looked at twice.
    if (found.has(next.pid)) continue;
    found.set(next.pid, next);
    pending.push(...(children.get(next.pid) ?? []));
  }
  return [...found.values()];
}

/** Processes of a container have ids that the learner may not signal; the engine's namespace has power over them. */
const signalScript = `
signal=$1
shift
engine=$(cat "$XDG_RUNTIME_DIR/docker.pid")
exec nsenter --user --preserve-credentials --target "$engine" -- /usr/bin/kill -s "$signal" -- "$@"
`;
/** New processes may be started while the others are being stopped. */
const rounds = 5;

/** Stop every process of a container. `docker pause` would freeze its health check too. @returns how many there were */
export async function stopAll(root: number, context: CheckContext): Promise<number> {
  for (let round = 1; ; round += 1) {
    const processes = await listProcesses(root, context);
    const going = processes.filter(({ state }) => !/^[TZX]/.test(state)).map(({ pid }) => pid);
    if (going.length === 0 || round > rounds) return processes.length;
    await signalTo('STOP', going, context);
  }
}

/** Let every process of a container go on. */
export async function continueAll(root: number, context: CheckContext): Promise<void> {
  const processes = await listProcesses(root, context);
  const stopped = processes.filter(({ state }) => state.startsWith('T')).map(({ pid }) => pid);
  if (stopped.length > 0) await signalTo('CONT', stopped, context);
}

async function signalTo(
  name: 'STOP' | 'CONT',
  pids: readonly number[],
  { shell, signal }: CheckContext,
): Promise<void> {
  const argv = ['/bin/bash', '-c', signalScript, 'bash', name, ...pids.map(String)];
  const answer = await shell.run(argv, { timeoutMs: shortMs, signal });
  // One that has ended meanwhile is none that goes on.
  if (answer.exitCode === 0 || /no such process/i.test(answer.stderr)) return;
  throw new BallastError('engine_failed', { message: answer.stderr.trim() });
}
