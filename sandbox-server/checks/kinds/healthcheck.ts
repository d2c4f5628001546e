import { z } from 'zod';
import type { Healthcheck } from '../../images/image-reader.ts';
import { duration } from '../../labs/quantities.ts';
import { BallastError } from '../../protocol/index.ts';
import type { CheckContext, CheckKind } from '../check-kind.ts';
import { continueAll, stopAll } from '../container-processes.ts';
import { dockerCli } from '../docker-cli.ts';
import { lookInFairTime } from '../fair-share.ts';
import { lastLines } from '../plain-text.ts';
import { imageParameter } from '../parameters.ts';
import { withProbeContainer } from '../probe-container.ts';
import type { ListeningPort, ProbeContainer } from '../probe-container.ts';
import { describeEnd } from '../readiness.ts';
import type { Wrong } from '../readiness.ts';
import { runOnce } from '../run-once.ts';
import { startHint } from '../start-hints.ts';

const schema = z.strictObject({
  image: imageParameter,
  healthyWithin: duration.prefault('15s').describe('Time from the start until it is healthy.'),
  noticesFailure: z
    .boolean()
    .default(true)
    .describe('Whether it must turn unhealthy when the service hangs, all its processes being stopped with SIGSTOP.'),
  noticesAbsence: z
    .boolean()
    .default(false)
    .describe('Whether it must say no in a container in which nothing but the check runs.'),
});
const intervalMs = 1000;
/** A check that starts a program of its own may take seconds; one that has no limit of its own must end some time. */
const longestProbeMs = 10_000;
const pollMs = 250;
/** A check that says yes so long after the service has been stopped does not notice; one may look at a recent file. */
const saysYesAfterMs = 12_000;
const noticesWithinMs = 15_000;
/** For a check to say no, alone in a container. */
const aloneMs = 15_000;

/**
 * Times for the health check, as options. The image's own may be minutes: what it runs is the learner's; how often, is
 * ours, and how long it may take as far as that can be waited for.
 */
export function paceOf({ timeoutMs }: Pick<Healthcheck, 'timeoutMs'>): { probeMs: number; options: string[] } {
  const probeMs = timeoutMs > 0 ? Math.min(timeoutMs, longestProbeMs) : longestProbeMs;
  const times = { interval: intervalMs, timeout: probeMs, 'start-period': 0 };
  const options = Object.entries(times).map(([name, ms]) => `--health-${name}=${String(ms)}ms`);
  return { probeMs, options: [...options, '--health-retries=1'] };
}

/** Says yes when the service works, and no when it does not: a check that always says yes is none. */
export const healthcheck: CheckKind<z.output<typeof schema>> = {
  name: 'healthcheck',
  summary:
    'The image declares a health check, which turns healthy, unhealthy when the service hangs, and healthy again.',
  docs: {
    looksAt:
      'HEALTHCHECK of the configuration, run in a container at a quicker pace than its own: it must turn healthy, unhealthy once every process of the container is stopped with SIGSTOP, and healthy again once they go on. It is given the time-out that it declares, 10 seconds at most. Where asked for, its command alone in a container as well: there it must say no.',
    example: `image: greeter
healthyWithin: 15s`,
    fails:
      'Says that there is none, what its last run printed and ended with, that it went on saying yes while the service hung, or that it stayed unhealthy after the service had gone on. The hint tells a program that is not in the image from a port on which nothing listens.',
  },
  schema,
  alone: true,
  timeoutMs: 240_000,
  async run(parameters, context) {
    const { image, noticesFailure, noticesAbsence } = parameters;
    const absence = noticesAbsence ? ', says no where the service does not run' : '';
    const then = `${absence}${noticesFailure ? ', turns unhealthy when the service hangs, and healthy when it goes on' : ''}`;
    const expected = `${image} has a HEALTHCHECK that turns healthy${then}.`;
    const { config } = await context.images.read(image, context.signal);
    const { healthcheck } = config;
    if (healthcheck === null) {
      const hint =
        'Add to the last stage: HEALTHCHECK CMD ["/program", "argument"]. Without a shell in the image it must be the exec form.';
      return { status: 'fail', expected, actual: 'It declares none.', hint };
    }
    const declared = healthcheck.test.slice(1).join(' ');
    const { options, probeMs } = paceOf(healthcheck);
    return withProbeContainer(context, { image, options }, async (start) => {
      if (!start.started) {
        const hint = startHint(start.error) ?? `Try it in the terminal: docker run --rm ${image}`;
        return { status: 'fail', expected, actual: `The container did not start: ${start.error}`, hint };
      }
      const { container } = start;
      const judge = new HealthJudge(container, { image, declared, probeMs, within: parameters.healthyWithin }, context);
      const wrong = await judge.turnsHealthy();
      if (wrong !== undefined) return { status: 'fail', expected, ...wrong };
      if (noticesAbsence && (await saysYesAlone(healthcheck.test, image, context)))
        return {
          status: 'fail',
          expected,
          actual: `"${declared}" says yes in a container where the service does not run.`,
          hint: askTheService,
        };
      if (!noticesFailure) return { status: 'pass', expected, actual: `"${declared}" turned healthy.` };
      const missed = await judge.noticesHang();
      if (missed !== undefined) return { status: 'fail', expected, ...missed };
      return {
        status: 'pass',
        expected,
        actual: `"${declared}" turned healthy, unhealthy when the service was stopped, and healthy when it went on.`,
      };
    });
  },
};

interface Judged {
  readonly image: string;
  /** The command of the check, in words. */
  readonly declared: string;
  /** Longest time of one run of the check, in ms. */
  readonly probeMs: number;
  /** Time to become healthy, in ms. */
  readonly within: number;
}

/** Follows the health of one container. */
class HealthJudge {
  readonly #container: ProbeContainer;
  readonly #judged: Judged;
  readonly #context: CheckContext;
  constructor(container: ProbeContainer, judged: Judged, context: CheckContext) {
    this.#container = container;
    this.#judged = judged;
    this.#context = context;
  }

  async turnsHealthy(): Promise<Wrong | undefined> {
    const { within, declared } = this.#judged;
    const health = await this.#waitFor('healthy', within);
    if (health.status === 'healthy') return undefined;
    if (health.status === 'exited') return this.#describeEnd();
    const listening = await this.#container.listening();
    return {
      actual: `It was ${health.status} after ${String(within / 1000)} seconds.${lastRun(health)}`,
      hint: healthHint(health, declared, listening),
    };
  }

  /** Stops every process of the container but the check, and lets them go on. */
  async noticesHang(): Promise<Wrong | undefined> {
    const { declared, probeMs, within } = this.#judged;
    const root = await this.#container.pid();
    // A run that is going on and one more, and as much again for what the engine needs.
    const noticedMs = Math.max(noticesWithinMs, 2 * (probeMs + intervalMs) + 3000);
    if ((await stopAll(root, this.#context)) === 0) return this.#describeEnd();
    const stopped = performance.now();
    let begun: string | undefined;
    const broken = await this.#waitFor('unhealthy', noticedMs, ({ exitCode, start }) => {
      const elapsed = performance.now() - stopped;
      // One that is seen by then may have begun before.
      if (elapsed < probeMs + intervalMs) begun = start;
      // A later one has said yes: more time changes nothing about that, and neither does a busy machine.
      return elapsed >= saysYesAfterMs && exitCode === 0 && start !== begun;
    });
    await continueAll(root, this.#context);
    if (broken.status === 'exited') return this.#describeEnd();
    if (broken.status !== 'unhealthy') {
      return {
        actual: `Every process of the container was stopped with SIGSTOP, and "${declared}" still says ${broken.status} after ${String(Math.round((performance.now() - stopped) / 1000))} seconds.`,
        hint: askTheService,
      };
    }
    const again = await this.#waitFor('healthy', within);
    if (again.status === 'healthy') return undefined;
    if (again.status === 'exited') return this.#describeEnd();
    return {
      actual: `"${declared}" turned unhealthy when the service was stopped, and is still ${again.status} ${String(within / 1000)} seconds after it went on.${lastRun(again)}`,
      hint: 'Let the check say how the service is now: one that turns unhealthy by itself, or remembers a failure, has a service restarted that works.',
    };
  }

  /** @param settled whether what is seen will not change any more */
  async #waitFor(wanted: string, limitMs: number, settled: (seen: Health) => boolean = () => false): Promise<Health> {
    let last: Health = { status: 'starting', output: '', exitCode: null, start: '' };
    const found = await lookInFairTime(this.#context, { limitMs, pollMs }, async () => {
      last = await this.#look();
      return last.status === wanted || last.status === 'exited' || settled(last) ? last : undefined;
    });
    return found ?? last;
  }

  async #look(): Promise<Health> {
    const { shell, signal } = this.#context;
    const argv = [dockerCli, 'container', 'inspect', '--format', '{{json .State}}', '--', this.#container.name];
    const answer = await shell.run(argv, { timeoutMs: 20_000, signal });
    if (answer.exitCode !== 0) throw new BallastError('engine_failed', { message: answer.stderr.trim() });
    return parseHealth(answer.stdout);
  }

  async #describeEnd(): Promise<Wrong> {
    const state = await this.#container.state();
    if (state.status === 'exited') return describeEnd(this.#container, state, this.#judged.image);
    throw new BallastError('engine_failed', { message: 'The container ended and runs again.' });
  }
}

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
  /** What its last run ended with; negative when it was stopped for being late, null when there was none. */
  readonly exitCode: number | null;
  /** When that run began, as the engine writes it. */
  readonly start: string;
}

const stateSchema = z.object({
  Running: z.boolean(),
  Health: z
    .object({
      Status: z.string(),
      Log: z.array(z.object({ Output: z.string(), ExitCode: z.int(), Start: z.string() })).nullish(),
    })
    .nullish(),
});

/** A container's state as `docker inspect` prints it in JSON. */
export function parseHealth(json: string): Health {
  const state = stateSchema.parse(JSON.parse(json));
  const last = state.Health?.Log?.at(-1);
  return {
    status: state.Running ? (state.Health?.Status ?? 'without a health check') : 'exited',
    output: lastLines(last?.Output ?? '', 4),
    exitCode: last?.ExitCode ?? null,
    start: last?.Start ?? '',
  };
}

function lastRun({ output, exitCode }: Health): string {
  if (exitCode === null) return ' The check has not run to its end.';
  const how = exitCode < 0 ? 'was stopped, being late' : `ended with exit code ${String(exitCode)}`;
  return ` The last run of the check ${how}${output === '' ? ' and printed nothing.' : `:\n${output}`}`;
}

/** What to do about a check that does not turn healthy. @param listening ports that the container listens on */
export function healthHint(
  { output, exitCode }: Pick<Health, 'output' | 'exitCode'>,
  declared: string,
  listening: readonly ListeningPort[],
): string {
  if (/\/bin\/sh|executable file not found|no such file/.test(output))
    return `What the check runs is not in the image: "${declared}". HEALTHCHECK CMD without brackets needs /bin/sh; a distroless image has neither shell nor curl, so let the service's own program be able to check.`;
  const how =
    exitCode === null || exitCode < 0
      ? `"${declared}" takes too long`
      : `"${declared}" ends with exit code ${String(exitCode)}, and 0 is healthy`;
  if (listening.length === 0) return `${how}. Nothing in the container listens on any port.`;
  const ports = listening.map(({ port }) => String(port)).join(', ');
  return `${how}. The container listens on ${ports}: does the check ask there, at a path that answers? Run it yourself: docker exec <container> ${declared}`;
}
