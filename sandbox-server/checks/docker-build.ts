import { BallastError } from '../protocol/index.ts';
import { isEngineFault } from './build-hints.ts';
import { failureCause, parseBuildFailure } from './build-log.ts';
import type { BuildFailure } from './build-log.ts';
import { dockerCli } from './docker-cli.ts';
import type { SandboxShell } from './sandbox-shell.ts';

export interface BuildRequest {
  /** Absolute path of the build context in the sandbox. */
  readonly context: string;
  /** Relative to the context. */
  readonly dockerfile: string;
  /** Stage to build; the last one when left out. */
  readonly target?: string;
  /** Name for the image; without one, the result is thrown away. */
  readonly tag?: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export type BuildOutcome =
  | { readonly status: 'built'; readonly log: string }
  | { readonly status: 'failed'; readonly log: string; readonly failure: BuildFailure }
  | { readonly status: 'timed-out'; readonly log: string };

/** A test run may print a lot, and what matters stands at the end. */
const maxLogBytes = 16 * 1024 ** 2;

/**
 * `docker build` in the sandbox, with its cache: --no-cache and --no-cache-filter would also empty the cache mounts, the
 * learner's own.
 * @throws BallastError engine_failed or disk_full when it is the engine that failed and not the build.
 */
export async function dockerBuild(shell: SandboxShell, request: BuildRequest): Promise<BuildOutcome> {
  const { context, dockerfile, target, tag, timeoutMs, signal } = request;
  const argv = [
    dockerCli,
    'build',
    '--progress=plain',
    `--file=${context}/${dockerfile}`,
    ...(target === undefined ? [] : [`--target=${target}`]),
    ...(tag === undefined ? ['--output=type=cacheonly'] : [`--tag=${tag}`]),
    '--',
    context,
  ];
  const env = { DOCKER_BUILDKIT: '1', NO_COLOR: '1' };
  const result = await shell.run(argv, { env, timeoutMs, maxOutputBytes: maxLogBytes, signal });
  const log = result.stderr;
  if (result.timedOut) return { status: 'timed-out', log };
  if (result.exitCode === 0) return { status: 'built', log };
  const failure = parseBuildFailure(log);
  if (isEngineFault(failure)) {
    // Not a step but the engine itself: whose fault a full disk is can't be told from here, so it is nobody's.
    const code = failureCause(failure) === 'out-of-disk' ? 'disk_full' : 'engine_failed';
    throw new BallastError(code, { message: failure.error });
  }
  return { status: 'failed', log, failure };
}
