import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { duration } from '../../labs/quantities.ts';
import { BallastError } from '../../protocol/index.ts';
import type { CheckContext, CheckKind } from '../check-kind.ts';
import { dockerCli } from '../docker-cli.ts';
import { lastLines } from '../plain-text.ts';
import { imageParameter } from '../parameters.ts';
import { withProbeContainer } from '../probe-container.ts';
import { runOnce } from '../run-once.ts';
import { startHint } from '../start-hints.ts';

const schema = z.strictObject({
  image: imageParameter,
  healthyWithin: duration.prefault('15s').describe('Time from the start until it is healthy.'),
  noticesFailure: z
    .boolean()
    .default(true)
    .describe('Whether it must turn unhealthy when the service hangs: its first process is stopped with SIGSTOP.'),
  noticesAbsence: z
    .boolean()
    .default(false)
    .describe(
      'Whether it must say no in a container in which nothing but the check runs. For a service of several processes: stopping the first does not stop those that answer.',
    ),
});
type Parameters = z.output<typeof schema>;

// The image's own times may be minutes. What it runs is the learner's; how often, is ours.
const pace = ['--health-interval=1s', '--health-timeout=2s', '--health-retries=2', '--health-start-period=0s'];
/** Two failures of at most two seconds, a second apart, and as much again for a slow machine. */
const unhealthyWithinMs = 15_000;
const pollMs = 250;
/** For a check to say no, alone in a container. */
const aloneMs = 15_000;

/** Says yes when the service works, and no when it does not: a check that always says yes is none. */
export const healthcheck: CheckKind<Parameters> = {
  name: 'healthcheck',
  summary: 'The image declares a health check, which turns healthy, and unhealthy when the service hangs.',
  docs: {
    looksAt:
      'HEALTHCHECK of the configuration, run in a container at a quicker pace than its own: it must turn healthy, and unhealthy once the first process is stopped with SIGSTOP. Where asked for, its command alone in a container as well: there it must say no.',
    example: `image: greeter
healthyWithin: 15s`,
    fails: 'Says that there is none, what its last run printed, or that it went on saying yes while the service hung.',
  },
  schema,
  alone: true,
  timeoutMs: 120_000,
  async run(parameters, context) {
    const { image, noticesFailure, noticesAbsence } = parameters;
    const absence = noticesAbsence ? ', says no where the service does not run' : '';
    const then = `${absence}${noticesFailure ? ', and turns unhealthy when the service hangs' : ''}`;
    const expected = `${image} has a HEALTHCHECK that turns healthy${then}.`;
    const { config } = await context.images.read(image, context.signal);
    if (config.healthcheck === null) {
      const hint =
        'Add to the last stage: HEALTHCHECK CMD ["/program", "argument"]. Without a shell in the image it must be the exec form.';
      return { status: 'fail', expected, actual: 'It declares none.', hint };
    }
    const declared = config.healthcheck.test.slice(1).join(' ');
    return withProbeContainer(context, { image, options: pace }, async (start) => {
      if (!start.started) {
        const hint = startHint(start.error) ?? `Try it in the terminal: docker run --rm ${image}`;
        return { status: 'fail', expected, actual: `The container did not start: ${start.error}`, hint };
      }
      const { name } = start.container;
      const healthy = await waitForHealth(name, 'healthy', parameters.healthyWithin, context);
      if (healthy.status !== 'healthy') {
        const said = healthy.output === '' ? '' : ` The check said:\n${healthy.output}`;
        const seconds = String(parameters.healthyWithin / 1000);
        const actual = `It was ${healthy.status} after ${seconds} seconds.${said}`;
        return { status: 'fail', expected, actual, hint: healthHint(healthy.output, declared) };
      }
      if (noticesAbsence && (await saysYesAlone(config.healthcheck?.test ?? [], image, context)))
        return {
          status: 'fail',
          expected,
          actual: `"${declared}" says yes in a container where the service does not run.`,
          hint: askTheService,
        };
      if (!noticesFailure) return { status: 'pass', expected, actual: `"${declared}" turned healthy.` };
      const argv = [dockerCli, 'kill', '--signal=STOP', '--', name];
      const stopped = await context.shell.run(argv, { timeoutMs: 20_000, signal: context.signal });
      if (stopped.exitCode !== 0) throw new BallastError('engine_failed', { message: stopped.stderr.trim() });
      const broken = await waitForHealth(name, 'unhealthy', unhealthyWithinMs, context);
      if (broken.status === 'unhealthy')
        return {
          status: 'pass',
          expected,
          actual: `"${declared}" turned healthy, and unhealthy when the service was stopped.`,
        };
      return {
        status: 'fail',
        expected,
        actual: `The service was stopped with SIGSTOP, and "${declared}" still says ${broken.status} after ${String(unhealthyWithinMs / 1000)} seconds.`,
        hint: `${askTheService} Where a shell starts the service, let it "exec" it: what is stopped is the first process.`,
      };
    });
  },
};

const askTheService =
  'Let the check ask the service itself, as a client does, and fail when no right answer comes: a check that looks for a file or a process sees no hang.';

/** Whether the check, run in place of the service, is satisfied all the same. */
async function saysYesAlone(
  [form, ...words]: readonly string[],
  image: string,
  context: CheckContext,
): Promise<boolean> {
  const [entrypoint = '', ...args] = form === 'CMD-SHELL' ? ['/bin/sh', '-c', ...words] : words;
  const answer = await runOnce(context, { image, entrypoint, args, timeoutMs: aloneMs });
  if (answer.engineFault !== undefined) throw new BallastError('engine_failed', { message: answer.engineFault });
  return !answer.timedOut && answer.exitCode === 0;
}

interface Health {
  readonly status: string;
  /** Last lines that the check printed. */
  readonly output: string;
}

async function waitForHealth(name: string, wanted: string, withinMs: number, context: CheckContext): Promise<Health> {
  const until = performance.now() + withinMs;
  for (;;) {
    const argv = [dockerCli, 'container', 'inspect', '--format', '{{json .State}}', '--', name];
    const answer = await context.shell.run(argv, { timeoutMs: 20_000, signal: context.signal });
    if (answer.exitCode !== 0) throw new BallastError('engine_failed', { message: answer.stderr.trim() });
    const health = parseHealth(answer.stdout);
    if (health.status === wanted || health.status === 'exited' || performance.now() >= until) return health;
    await delay(pollMs, undefined, { signal: context.signal });
  }
}

const stateSchema = z.object({
  Running: z.boolean(),
  Health: z.object({ Status: z.string(), Log: z.array(z.object({ Output: z.string() })).nullish() }).nullish(),
});

/** A container's state as `docker inspect` prints it in JSON. */
export function parseHealth(json: string): Health {
  const state = stateSchema.parse(JSON.parse(json));
  const output = lastLines(state.Health?.Log?.at(-1)?.Output ?? '', 4);
  return { status: state.Running ? (state.Health?.Status ?? 'without a health check') : 'exited', output };
}

function healthHint(output: string, declared: string): string {
  if (/\/bin\/sh|executable file not found|no such file/.test(output))
    return `What the check runs is not in the image: "${declared}". HEALTHCHECK CMD without brackets needs /bin/sh; a distroless image has neither shell nor curl, so let the service's own program be able to check.`;
  return 'Run the same command in the container: docker exec <container> …, and look at its exit code: 0 is healthy, 1 is not.';
}
