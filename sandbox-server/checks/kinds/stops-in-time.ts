import { z } from 'zod';
import { duration } from '../../labs/quantities.ts';
import { BallastError } from '../../protocol/index.ts';
import type { ImageConfig } from '../../images/image-reader.ts';
import type { CheckContext, CheckKind } from '../check-kind.ts';
import { isShellName, listProcesses } from '../container-processes.ts';
import { dockerCli } from '../docker-cli.ts';
import { looksPerLimit, mostPatience, watchShare } from '../fair-share.ts';
import { imageParameter } from '../parameters.ts';
import { withProbeContainer } from '../probe-container.ts';
import {
  describeEnd,
  killedHint,
  oneOfPortAndLog,
  oneOfPortAndLogMessage,
  readyParameters,
  waitUntilReady,
} from '../readiness.ts';
import { readSandbox } from '../sandbox-reading.ts';
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
      'Says that it was still running, or the exit code (143: it died of the signal; 137: it was killed). The hint tells the shell form of ENTRYPOINT, a start script and npm from a program without a handler, by the configuration and by what process 1 is; a kill for want of memory is told from any other.',
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
      const { container } = start;
      const judged = await waitUntilReady(container, parameters, context);
      if (!judged.ready) return { status: 'fail', expected, actual: judged.actual, hint: judged.hint };
      const { name } = container;
      const [first] = await listProcesses(await container.pid(), context);
      const began = performance.now();
      const { signal } = context;
      const killed = await context.shell.run([dockerCli, 'kill', '--signal=TERM', '--', name], {
        timeoutMs: 20_000,
        signal,
      });
      if (killed.exitCode !== 0) {
        const state = await container.state();
        if (state.status !== 'exited') throw new BallastError('engine_failed', { message: killed.stderr.trim() });
        const { actual, hint } = await describeEnd(container, state, image);
        return { status: 'fail', expected, actual: `It became ready, and then: ${actual}`, hint };
      }
      const code = await waitForEnd(name, within, context);
      const took = ((performance.now() - began) / 1000).toFixed(1);
      if (code === undefined) {
        const actual = `It was still running ${seconds} seconds after SIGTERM.`;
        const { config } = await context.images.read(image, signal);
        return { status: 'fail', expected, actual, hint: termHint(config, first?.command ?? '') };
      }
      const actual = `It ended after ${took} seconds with exit code ${String(code)}.`;
      if (code === exitCode) return { status: 'pass', expected, actual };
      const hint = code === 137 ? killedHint(await container.ranOutOfMemory()) : codeHint(code);
      return { status: 'fail', expected, actual, hint };
    });
  },
};

/** Exit code of a container that has been told to end; undefined when it has not ended, and had its fair time. */
async function waitForEnd(name: string, within: number, context: CheckContext): Promise<number | undefined> {
  const { shell, signal } = context;
  const share = watchShare(() => readSandbox(shell), within);
  try {
    for (let left = within * mostPatience, limit = within; ; limit = within / looksPerLimit) {
      const waited = await shell.run([dockerCli, 'wait', '--', name], { timeoutMs: limit, signal });
      if (waited.exitCode === 0) return Number(waited.stdout.trim());
      if (!waited.timedOut) throw new BallastError('engine_failed', { message: waited.stderr.trim() });
      if (await share.hadItsShare()) return undefined;
      left -= limit;
      if (left <= 0) throw new BallastError('host_busy');
    }
  } finally {
    share.stop();
  }
}

/**
 * Why a container does not heed SIGTERM, as far as its configuration and its first process tell.
 * @param first name of the program that the first process runs, as the kernel knows it; "" when it has ended
 */
export function termHint({ entrypoint, cmd }: Pick<ImageConfig, 'entrypoint' | 'cmd'>, first: string): string {
  const [program = '', option = ''] = [...entrypoint, ...cmd];
  if (/(^|\/)(ba|da|a)?sh$/.test(program) && option === '-c' && isShellName(first))
    return 'ENTRYPOINT or CMD is in shell form: process 1 is /bin/sh, which does not pass the signal on. Write it in exec form, a JSON array: ENTRYPOINT ["/path"].';
  if (isShellName(first))
    return 'Process 1 is a shell that runs a start script, and does not pass the signal on. Start the service with "exec" as the last line of the script.';
  if (/^(npm|yarn|pnpm)/.test(first))
    return `Process 1 is ${first}, which starts the service as a child of its own. Start the service itself: ENTRYPOINT ["node", "server.js"].`;
  const named = first === '' ? 'The first process' : `Process 1 is ${first}, which`;
  return `${named} gets the signal and does not end by it: for process 1 the kernel has no default. Handle SIGTERM in the program, or put an init such as tini in front.`;
}

function codeHint(code: number): string {
  if (code === 143) return 'It died of the signal. Handle SIGTERM: finish what is under way, then end with 0.';
  return 'An end that was asked for is no error: end with 0 after SIGTERM.';
}
