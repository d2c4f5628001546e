import { BallastError } from '../protocol/index.ts';
import { failureCause, parseBuildFailure } from './build-log.ts';
import type { BuildFailure } from './build-log.ts';
import { dockerCli } from './docker-cli.ts';
import { readEvidence } from './build-evidence.ts';
import { isEngineFault } from './engine-fault.ts';
import { watchShare } from './fair-share.ts';
import { readSandbox, usedUpBetween } from './sandbox-reading.ts';
import type { SandboxReading } from './sandbox-reading.ts';
import type { RunResult, SandboxShell } from './sandbox-shell.ts';

export interface BuildRequest {
  /** Absolute path of the build context in the sandbox. */
  readonly context: string;
  /** Relative to the context. */
  readonly dockerfile: string;
  /** Stage to build; the last one when left out. */
  readonly target?: string;
  /** Name for the image; without one, the result is thrown away. */
  readonly tag?: string;
  /** How BuildKit tells of its steps; "plain" when left out, which is what failures are described by. */
  readonly progress?: 'plain' | 'rawjson';
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export type BuildOutcome =
  | { readonly status: 'built'; readonly log: string }
  | { readonly status: 'failed'; readonly log: string; readonly failure: BuildFailure }
  | { readonly status: 'timed-out'; readonly log: string };

/** A test run may print a lot. The steps are named at the start, and what failed stands at the end. */
const maxLogBytes = 16 * 1024 ** 2;

/**
 * `docker build` in the sandbox, with its cache: --no-cache and --no-cache-filter would also empty the cache mounts, the
 * learner's own.
 * @throws BallastError engine_failed or disk_full when it is the engine that failed and not the build, host_busy when it
 * ran out of time that others had taken.
 */
export async function dockerBuild(shell: SandboxShell, request: BuildRequest): Promise<BuildOutcome> {
  const { context, dockerfile, target, tag, progress = 'plain', timeoutMs, signal } = request;
  const argv = [
    dockerCli,
    'build',
    `--progress=${progress}`,
    `--file=${context}/${dockerfile}`,
    ...(target === undefined ? [] : [`--target=${target}`]),
    ...(tag === undefined ? ['--output=type=cacheonly'] : [`--tag=${tag}`]),
    '--',
    context,
  ];
  const env = { DOCKER_BUILDKIT: '1', NO_COLOR: '1' };
  const share = watchShare(() => readSandbox(shell), timeoutMs);
  let result: RunResult;
  try {
    result = await shell.run(argv, { env, timeoutMs, maxOutputBytes: maxLogBytes, keep: 'ends', signal });
  } finally {
    share.stop();
  }
  const log = result.stderr;
  if (result.timedOut) {
    if (await share.hadItsShare()) return { status: 'timed-out', log };
    throw new BallastError('host_busy');
  }
  if (result.exitCode === 0) return { status: 'built', log };
  const failure = judgeFailure(parseBuildFailure(log), await share.before, await readSandbox(shell));
  return { status: 'failed', log, failure: { ...failure, evidence: await readEvidence(shell, request, failure) } };
}

/**
 * A failure with its cause, as the kernel's counters before and after tell it; without them, as the log does.
 * @throws BallastError engine_failed or disk_full for what is not the build's own doing
 */
export function judgeFailure(
  failure: BuildFailure,
  before: SandboxReading | null,
  after: SandboxReading | null,
): BuildFailure {
  const told = failureCause(failure);
  if (before !== null && after !== null) {
    const { memory, processes, disk, hostMemory } = usedUpBetween(before, after);
    if (memory) return { ...failure, cause: 'out-of-memory' };
    if (hostMemory) throw new BallastError('engine_failed', { message: 'The machine ran out of memory.' });
    if (processes) return { ...failure, cause: 'out-of-processes' };
    if (told === 'out-of-disk' && disk) throw new BallastError('disk_full', { message: failure.error });
    // What a step prints is its own word: nothing was short of memory.
    if (!isEngineFault(failure)) return { ...failure, cause: told === 'out-of-disk' ? told : 'build' };
  }
  if (!isEngineFault(failure)) return failure;
  // Not a step but the engine itself: whose fault a full disk is can't be told from here, so it is nobody's.
  const code = told === 'out-of-disk' ? 'disk_full' : 'engine_failed';
  throw new BallastError(code, { message: failure.error });
}
