import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { duration } from '../../labs/quantities.ts';
import { BallastError } from '../../protocol/index.ts';
import type { CheckContext, CheckKind } from '../check-kind.ts';
import { isShellName, listProcesses } from '../container-processes.ts';
import type { ContainerProcess } from '../container-processes.ts';
import { dockerCli } from '../docker-cli.ts';
import { ask } from '../http-probe.ts';
import { imageParameter } from '../parameters.ts';
import { lastLines } from '../plain-text.ts';
import { isImageFault, withProbeContainer } from '../probe-container.ts';
import type { ProbeContainer } from '../probe-container.ts';
import {
  describeEnd,
  isWanted,
  oneOfPortAndLog,
  oneOfPortAndLogMessage,
  printed,
  readyParameters,
  waitUntilReady,
} from '../readiness.ts';
import type { Wrong } from '../readiness.ts';
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
      "Names the zombies and their parent, or what kept them from being provoked: a request that is not served, a program that is not in the image, a container that ended. The hint goes by what process 1 is, and by whose children the zombies are: an init such as tini, `docker run --init`, or waiting for one's own children.",
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
      const judged = await waitUntilReady(container, parameters, context);
      if (!judged.ready) return { status: 'fail', expected, actual: judged.actual, hint: judged.hint };
      const wrong =
        (await askAll(container, requests, context)) ??
        (exec === undefined ? undefined : await provoke(container, exec, context));
      const seen = wrong ?? (await look(await container.pid(), watch, context));
      const state = await container.state();
      if (state.status === 'exited') {
        const { actual, hint } = await describeEnd(container, state, image);
        return { status: 'fail', expected, actual: `It became ready, and then: ${actual}`, hint };
      }
      if ('actual' in seen) return { status: 'fail', expected, ...seen };
      const { zombies, first } = seen;
      if (zombies.length === 0)
        return { status: 'pass', expected, actual: `None did. Process 1 is ${first?.command ?? ''}.` };
      return { status: 'fail', expected, ...judgeZombies(seen) };
    });
  },
};

/** What is wrong with how the service took the requests that make it start processes: without them nothing is shown. */
async function askAll(
  container: ProbeContainer,
  requests: readonly string[],
  context: CheckContext,
): Promise<Wrong | undefined> {
  for (const path of requests) {
    const answer = await ask(container.port, path, context);
    if (answer !== undefined && isWanted(answer.status, undefined)) continue;
    const got = answer === undefined ? 'got no answer' : `answered ${String(answer.status)}`;
    return {
      actual: `GET ${path} ${got}, so that whether it leaves zombies behind does not show.${printed(await container.log())}`,
      hint: 'Mend the answer first: a request that is not served starts no process.',
    };
  }
  return undefined;
}

/** Run a program in the container; what is wrong when it can't be run, or fails. */
async function provoke(
  container: ProbeContainer,
  exec: readonly string[],
  context: CheckContext,
): Promise<Wrong | undefined> {
  const argv = [dockerCli, 'exec', '--', container.name, ...exec];
  const result = await context.shell.run(argv, { timeoutMs: 20_000, signal: context.signal });
  if (result.exitCode === 0) return undefined;
  const program = exec[0] ?? '';
  const words = lastLines(`${result.stdout}\n${result.stderr}`, 3);
  // Of docker's own words and not the program's: only then is there no program that could have said them.
  if (result.exitCode >= 126 && isImageFault(words)) {
    return {
      actual: `${program} could not be run in the container: ${words}`,
      hint: startHint(words) ?? `The image must have ${program}: with it the check leaves a process behind.`,
    };
  }
  if (/^Error response from daemon|Cannot connect to the Docker daemon|OCI runtime exec failed/m.test(result.stderr)) {
    // A container that has ended meanwhile is told of by its caller.
    if ((await container.state()).status === 'exited') return undefined;
    throw new BallastError('engine_failed', { message: words });
  }
  const how = result.timedOut ? 'did not end in 20 seconds' : `ended with exit code ${String(result.exitCode)}`;
  return {
    actual: `${exec.join(' ')} ${how} in the container: ${words}`,
    hint: 'The check runs it in the container to leave a process behind.',
  };
}

interface Seen {
  /** Those that have stayed. */
  readonly zombies: readonly ContainerProcess[];
  readonly all: readonly ContainerProcess[];
  readonly first: ContainerProcess | undefined;
}

/** Looks until the time is up, or the container has ended. */
async function look(root: number, watchMs: number, context: CheckContext): Promise<Seen> {
  const seen = new Map<number, number>();
  const until = performance.now() + watchMs;
  for (;;) {
    const all = await listProcesses(root, context);
    const now = performance.now();
    const zombies = all.filter(({ state }) => state.startsWith('Z'));
    for (const { pid } of zombies) if (!seen.has(pid)) seen.set(pid, now);
    if (now >= until || all.length === 0) {
      return { zombies: zombies.filter(({ pid }) => now - (seen.get(pid) ?? now) >= stayMs), all, first: all[0] };
    }
    await delay(pollMs, undefined, { signal: context.signal });
  }
}

const inits = /^(tini|docker-init|dumb-init|catatonit|s6-svscan|runit|systemd)/;

/** What to say of zombies that stay: who they are, whose they are, and what would wait for them. */
export function judgeZombies({ zombies, all, first }: Seen): Wrong {
  const names = [...new Set(zombies.map(({ command }) => command))].join(', ');
  const one = zombies.length === 1;
  const stay = one ? 'One zombie stays' : `${String(zombies.length)} zombies stay`;
  const own = zombies.find(({ parent }) => parent !== first?.pid);
  const parent = all.find(({ pid }) => pid === own?.parent);
  const process1 = first?.command ?? '';
  if (parent !== undefined) {
    return {
      actual: `${stay}: ${names}. Their parent is ${parent.command}, which lives and does not wait for them. Process 1 is ${process1}.`,
      hint: `${inits.test(process1) ? 'An init is there, but it' : 'An init would not help: it'} only inherits what has lost its parent. Let ${parent.command} wait for the processes that it starts.`,
    };
  }
  const actual = `${stay}: ${names}. Process 1 is ${process1}, their parent now, which does not wait for them.`;
  const init = 'ENTRYPOINT ["/tini", "--", …], or "docker run --init"';
  if (isShellName(process1))
    return {
      actual,
      hint: `A shell as process 1 waits for what it started itself. Put an init such as tini in front: ${init}.`,
    };
  if (/^(node|npm|python|gunicorn|ruby|java|php)/.test(process1))
    return {
      actual,
      hint: `${process1} waits for what it started itself, and not for what others leave behind. Put an init such as tini in front: ${init}.`,
    };
  return {
    actual,
    hint: `Put an init such as tini in front of the program (${init}), or let ${process1} wait for any child, as process 1 must.`,
  };
}
