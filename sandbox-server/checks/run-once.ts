import { randomBytes } from 'node:crypto';
import type { CheckContext } from './check-kind.ts';
import { BallastError } from '../protocol/index.ts';
import { dockerCli } from './docker-cli.ts';
import { watchShare } from './fair-share.ts';
import { isImageFault } from './probe-container.ts';
import { ranOutOfMemory, readSandbox } from './sandbox-reading.ts';

export interface RunOnceRequest {
  readonly image: string;
  readonly entrypoint?: string;
  readonly args: readonly string[];
  /** Time until it must have ended, in ms; then it is removed. */
  readonly timeoutMs: number;
  /** Further options of `docker run`, of our own making. */
  readonly options?: readonly string[];
}

export interface RunOnceAnswer {
  readonly timedOut: boolean;
  readonly exitCode: number;
  /** What it printed, or what the engine said when it could not be started. */
  readonly output: string;
  /** What the engine said when the fault was its own. */
  readonly engineFault?: string;
  /** Of one that was killed: whether the sandbox ran out of memory; left out where that can't be told. */
  readonly outOfMemory?: boolean;
}

const maxOutputBytes = 256 * 1024;
/** What `docker run` itself ends with: the engine failed, the program can't be run, there is no such program. */
const engineCodes: ReadonlySet<number> = new Set([125, 126, 127]);

/**
 * Run a container of the image to its end, without a network, and remove it whatever happens.
 * @throws BallastError host_busy when it did not end in time, and others had the machine meanwhile; engine_failed when
 * the machine ran out of memory.
 */
export async function runOnce(context: CheckContext, request: RunOnceRequest): Promise<RunOnceAnswer> {
  const { image, entrypoint, args, timeoutMs, options = [] } = request;
  const name = `ballast-check-${randomBytes(6).toString('hex')}`;
  const fixed = ['run', '--name', name, '--label', 'ballast.check=true', '--network=none', ...options];
  const start = entrypoint === undefined ? [] : [`--entrypoint=${entrypoint}`];
  const share = watchShare(() => readSandbox(context.shell), timeoutMs);
  try {
    const argv = [dockerCli, ...fixed, ...start, '--', image, ...args];
    const result = await context.shell.run(argv, { timeoutMs, maxOutputBytes, signal: context.signal });
    const output = `${result.stdout}${result.stderr}`;
    const { exitCode, timedOut } = result;
    // A program may end with these codes too; the engine's words tell them apart.
    const byEngine = !timedOut && engineCodes.has(exitCode) && /^docker: /m.test(result.stderr);
    if (byEngine && !isImageFault(result.stderr))
      return { timedOut, exitCode, output, engineFault: result.stderr.trim() };
    if (timedOut && !(await share.hadItsShare())) throw new BallastError('host_busy');
    if (timedOut || exitCode !== 137) return { timedOut, exitCode, output };
    const outOfMemory = await ranOutOfMemory(share.before, context.shell);
    return { timedOut, exitCode, output, ...(outOfMemory === undefined ? {} : { outOfMemory }) };
  } finally {
    share.stop();
    // Not under the check's signal: what was started is removed even when the check's time is up.
    await context.shell.run([dockerCli, 'rm', '--force', '--volumes', '--', name], { timeoutMs: 20_000 });
  }
}
