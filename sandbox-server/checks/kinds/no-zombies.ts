import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { duration } from '../../labs/quantities.ts';
import { BallastError } from '../../protocol/index.ts';
import type { CheckContext, CheckKind } from '../check-kind.ts';
import { dockerCli } from '../docker-cli.ts';
import { ask } from '../http-probe.ts';
import { imageParameter } from '../parameters.ts';
import { withProbeContainer } from '../probe-container.ts';
import { oneOfPortAndLog, oneOfPortAndLogMessage, readyParameters, waitUntilReady } from '../readiness.ts';
import { startHint } from '../start-hints.ts';

const schema = z
  .strictObject({
    image: imageParameter,
    ...readyParameters,
    requests: z
      .array(z.string().startsWith('/'))
      .max(20)
      .default([])
      .describe('Paths to ask for, which make the service start processes.'),
    exec: z
      .array(z.string())
      .min(1)
      .optional()
      .describe('Program and arguments to run in the container, such as one that leaves a process behind.'),
    watch: duration.prefault('3s').describe('How long to look for processes that nobody has waited for.'),
  })
  .refine(oneOfPortAndLog, oneOfPortAndLogMessage);

/** A zombie that stays this long is not about to be collected. */
const stayMs = 1000;
const pollMs = 250;

export interface ContainerProcess {
  readonly pid: number;
  readonly state: string;
  readonly command: string;
}

/** Whoever is process 1 must also wait for processes that others left behind; most programs do not know. */
export const noZombies: CheckKind<z.output<typeof schema>> = {
  name: 'no-zombies',
  summary: 'The first process of the container waits for those that others leave behind: none stays as a zombie.',
  docs: {
    looksAt:
      'Processes of the container while and after it serves requests or runs a program: none may stay as a zombie for a second.',
    example: `image: greeter
port: 8080
requests: [/run]`,
    fails:
      'Names the zombies and their parent. The hint speaks of an init such as tini, or `docker run --init`, and of waiting for children.',
  },
  schema,
  alone: true,
  timeoutMs: 120_000,
  async run(parameters, context) {
    const { image, port, requests, exec, watch } = parameters;
    const expected = `No process of a container of ${image} stays a zombie.`;
    return withProbeContainer(context, { image, port }, async (start) => {
      if (!start.started) {
        const hint = startHint(start.error) ?? `Try it in the terminal: docker run --rm ${image}`;
        return { status: 'fail', expected, actual: `The container did not start: ${start.error}`, hint };
      }
      const { container } = start;
      const failing = await waitUntilReady(container, parameters, context);
      if (failing !== undefined) return { status: 'fail', expected, ...failing };
      for (const path of requests) await ask(container.port, path, context);
      if (exec !== undefined) await provoke(container.name, exec, context);
      const { zombies, first } = await look(container.name, watch, context);
      if (zombies.length === 0) return { status: 'pass', expected, actual: `None did. Process 1 is ${first}.` };
      const names = [...new Set(zombies.map(({ command }) => command))].join(', ');
      return {
        status: 'fail',
        expected,
        actual: `${zombies.length === 1 ? 'One zombie stays' : `${String(zombies.length)} zombies stay`}: ${names}. Process 1 is ${first}, which does not wait for them.`,
        hint: 'Put an init such as tini in front of the program (ENTRYPOINT ["/tini", "--", …]), or let the program wait for its children.',
      };
    });
  },
};

async function provoke(name: string, exec: readonly string[], context: CheckContext): Promise<void> {
  const argv = [dockerCli, 'exec', '--', name, ...exec];
  const result = await context.shell.run(argv, { timeoutMs: 20_000, signal: context.signal });
  if (result.exitCode === 0) return;
  throw new BallastError('engine_failed', {
    message: `${exec[0] ?? ''} could not be run in the container: ${result.stderr.trim() || result.stdout.trim()}`,
  });
}

/** Looks until the time is up, and gives the zombies that have stayed and the name of process 1. */
async function look(
  name: string,
  watchMs: number,
  context: CheckContext,
): Promise<{ zombies: ContainerProcess[]; first: string }> {
  const inspected = await read([dockerCli, 'container', 'inspect', '--format', '{{.State.Pid}}', '--', name], context);
  const root = Number(inspected.trim());
  const seen = new Map<number, number>();
  const until = performance.now() + watchMs;
  for (;;) {
    // Not docker top: it asks the control groups, which a rootless engine may not have.
    const table = await read(['/usr/bin/ps', '-e', '-o', 'pid=,ppid=,stat=,comm='], context);
    const now = performance.now();
    const processes = parseProcesses(table, root);
    const zombies = processes.filter(({ state }) => state.startsWith('Z'));
    for (const { pid } of zombies) if (!seen.has(pid)) seen.set(pid, now);
    if (now >= until) {
      const stayed = zombies.filter(({ pid }) => now - (seen.get(pid) ?? now) >= stayMs);
      return { zombies: stayed, first: processes[0]?.command ?? 'unknown' };
    }
    await delay(pollMs, undefined, { signal: context.signal });
  }
}

async function read(argv: readonly string[], context: CheckContext): Promise<string> {
  const answer = await context.shell.run(argv, { timeoutMs: 20_000, signal: context.signal });
  if (answer.exitCode !== 0) throw new BallastError('engine_failed', { message: answer.stderr.trim() });
  return answer.stdout;
}

/**
 * The processes of a container out of a table of all: its first one, which comes first, and all that descend from it.
 * What an exec leaves behind becomes a child of the first process, too.
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
    const { pid, state, command } = next;
    // Tables change while they are read: nobody is looked at twice.
    if (found.has(pid)) continue;
    found.set(pid, { pid, state, command });
    pending.push(...(children.get(pid) ?? []));
  }
  return [...found.values()];
}
