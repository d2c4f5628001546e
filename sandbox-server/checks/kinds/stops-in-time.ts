import { z } from 'zod';
import { duration } from '../../labs/quantities.ts';
import { BallastError } from '../../protocol/index.ts';
import type { CheckKind } from '../check-kind.ts';
import { dockerCli } from '../docker-cli.ts';
import { imageParameter } from '../parameters.ts';
import { withProbeContainer } from '../probe-container.ts';
import { oneOfPortAndLog, oneOfPortAndLogMessage, readyParameters, waitUntilReady } from '../readiness.ts';
import { startHint } from '../start-hints.ts';

const schema = z
  .strictObject({
    image: imageParameter,
    ...readyParameters,
    within: duration.prefault('5s').describe('Time from SIGTERM to the end.'),
    exitCode: z.int().min(0).max(255).default(0).describe('Exit code of its end.'),
  })
  .refine(oneOfPortAndLog, oneOfPortAndLogMessage);
type Parameters = z.output<typeof schema>;

/** SIGTERM is how every platform asks a container to stop; what does not heed it is killed in the midst of its work. */
export const stopsInTime: CheckKind<Parameters> = {
  name: 'stops-in-time',
  summary: 'A container of the image ends soon after SIGTERM, with exit code 0.',
  docs: {
    looksAt: 'The time from SIGTERM to the end of a container, and its exit code.',
    example: `image: greeter
port: 8080
within: 5s`,
    fails:
      'Says that it was still running, or the exit code (143: it died of the signal; 137: it was killed). The hint tells the shell form of ENTRYPOINT from a program without a handler.',
  },
  schema,
  alone: true,
  timeoutMs: 120_000,
  async run(parameters, context) {
    const { image, port, within, exitCode } = parameters;
    const seconds = String(within / 1000);
    const expected = `After SIGTERM, a container of ${image} ends within ${seconds} seconds with exit code ${String(exitCode)}.`;
    return withProbeContainer(context, { image, port }, async (start) => {
      if (!start.started) {
        const hint = startHint(start.error) ?? `Try it in the terminal: docker run --rm ${image}`;
        return { status: 'fail', expected, actual: `The container did not start: ${start.error}`, hint };
      }
      const failing = await waitUntilReady(start.container, parameters, context);
      if (failing !== undefined) return { status: 'fail', expected, ...failing };
      const { name } = start.container;
      const began = performance.now();
      const { signal } = context;
      const killed = await context.shell.run([dockerCli, 'kill', '--signal=TERM', '--', name], {
        timeoutMs: 20_000,
        signal,
      });
      if (killed.exitCode !== 0) throw new BallastError('engine_failed', { message: killed.stderr.trim() });
      const waited = await context.shell.run([dockerCli, 'wait', '--', name], { timeoutMs: within, signal });
      const took = (performance.now() - began) / 1000;
      if (waited.timedOut) {
        const actual = `It was still running ${seconds} seconds after SIGTERM.`;
        return { status: 'fail', expected, actual, hint: termHint };
      }
      if (waited.exitCode !== 0) throw new BallastError('engine_failed', { message: waited.stderr.trim() });
      const code = Number(waited.stdout.trim());
      const actual = `It ended after ${took.toFixed(1)} seconds with exit code ${String(code)}.`;
      if (code === exitCode) return { status: 'pass', expected, actual };
      return { status: 'fail', expected, actual, hint: codeHint(code) };
    });
  },
};

const termHint =
  'The first process of a container gets the signal and has no default for it. A shell there passes nothing on: write ENTRYPOINT in exec form, end start scripts with "exec", handle SIGTERM in the program, or put an init such as tini in front.';

function codeHint(code: number): string {
  if (code === 143) return 'It died of the signal. Handle SIGTERM: finish what is under way, then end with 0.';
  if (code === 137) return 'It was killed, most likely because the sandbox ran out of memory.';
  return 'An end that was asked for is no error: end with 0 after SIGTERM.';
}
