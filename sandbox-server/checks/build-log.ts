import { lastLines } from './plain-text.ts';

/** What BuildKit's plain progress says of a build that failed. */
export interface BuildFailure {
  /** The step that failed, such as "[build 4/4] RUN go build": empty when no step had begun. */
  readonly step: string;
  /** Name of the stage the step belongs to; empty for a step outside of any. */
  readonly stage: string;
  /** The instruction alone, such as "RUN go build". */
  readonly instruction: string;
  /** Line of the Dockerfile, counted from 1; 0 when not told. */
  readonly line: number;
  /** Exit code of the program that failed; null when it was something else. */
  readonly exitCode: number | null;
  /** BuildKit's own last word. */
  readonly error: string;
  /** Last lines that the step printed. */
  readonly output: string;
  /** As the kernel's counters tell it; left out where they are not known, and the log is all there is. */
  readonly cause?: FailureCause;
  /** What the Dockerfile and .dockerignore say of it; left out where they were not looked at. */
  readonly evidence?: BuildEvidence;
}

/** What the files of a build say of a failure that its log does not; for hints alone. */
export interface BuildEvidence {
  /** The line of .dockerignore that keeps the file that COPY did not find out of the build context. */
  readonly ignoredBy?: string;
  /** What USER and WORKDIR said last before the failing step. */
  readonly user?: string;
  readonly workdir?: string;
}

const shownLines = 8;
/** Characters of one line that are looked at and shown, half from each end: a step may print megabytes without a newline. */
const shownCharacters = 4000;

/** Where the client itself falls over: what follows in the log is a dump of its threads. */
const clientCrash = /^(?:runtime(?:\/\w+)?|fatal error|panic): /;

const clipped = (line: string): string =>
  line.length <= shownCharacters ? line : `${line.slice(0, shownCharacters / 2)} … ${line.slice(-shownCharacters / 2)}`;

/**
 * Find the failing step in the log of a build with `--progress plain`.
 * What a step prints can't pass for BuildKit's own lines: BuildKit puts a number and a time before it.
 */
export function parseBuildFailure(log: string): BuildFailure {
  const lines = log.split('\n').map((line) => line.trimEnd());
  const error =
    lines.findLast((line) => line.startsWith('ERROR: '))?.slice('ERROR: '.length) ??
    lines.find((line) => clientCrash.test(line)) ??
    lastLines(log, 1);
  const stepAt = lines.findLastIndex((line) => /^ > .*:$/.test(line));
  const step = stepAt < 0 ? '' : (lines[stepAt] ?? '').slice(' > '.length, -1);
  const { stage, instruction } = splitStep(step);
  const output: string[] = [];
  for (let at = stepAt + 1; stepAt >= 0 && at < lines.length && lines[at] !== '------'; at += 1) {
    output.push((lines[at] ?? '').replace(/^\d+\.\d+ /, ''));
  }
  const place = lines.findLast((line) => /^\S+:\d+$/.test(line)) ?? '';
  return {
    step,
    stage,
    instruction,
    line: Number(/:(\d+)$/.exec(place)?.[1] ?? /parse error on line (\d+)/.exec(error)?.[1] ?? 0),
    exitCode: numberOrNull(/did not complete successfully: exit code: (\d+)/.exec(error)?.[1]),
    error: clipped(error.replace(/^failed to (build: failed to )?solve: /, '')),
    output: lastLines((output.length > 0 ? output : printedBy(lines)).map(clipped).join('\n'), shownLines),
  };
}

/** What the failed step printed as it ran: where BuildKit was too late to say it again at the end. */
function printedBy(lines: readonly string[]): string[] {
  const failed = /^(#\d+) ERROR: process /;
  const id = failed.exec(lines.findLast((line) => failed.test(line)) ?? '')?.[1];
  if (id === undefined) return [];
  return lines
    .filter((line) => line.startsWith(`${id} `))
    .flatMap((line) => /^#\d+ \d+\.\d+ (.*)$/.exec(line)?.[1] ?? []);
}

/** "[test 2/3] RUN x" or, for several platforms, "[linux/amd64 test 2/3] RUN x". */
function splitStep(step: string): { stage: string; instruction: string } {
  const [, inside = '', instruction = ''] = /^\[([^\]]*)\] ?(.*)$/.exec(step) ?? [];
  const [, stage = ''] = /^(?:[a-z0-9]+\/[a-z0-9/]+ )?(.*?) *\d+\/\d+$/.exec(inside) ?? [];
  return { stage, instruction };
}

const numberOrNull = (text: string | undefined): number | null => (text === undefined ? null : Number(text));

/** What a failed build ran out of, if it did; `build` is any other failure. */
export type FailureCause = 'out-of-memory' | 'out-of-disk' | 'out-of-processes' | 'build';

/** Tell a machine that was too small from a Dockerfile that was wrong. */
export function failureCause({ cause, exitCode, output, error }: BuildFailure): FailureCause {
  if (cause !== undefined) return cause;
  const text = `${output}\n${error}`;
  if (/no space left on device|disk quota exceeded/i.test(text)) return 'out-of-disk';
  // 137 is what the kernel's killer leaves; compilers that start others report it in words and end with 1.
  if (exitCode === 137 || /signal: killed|: Killed$|cannot allocate memory|out of memory|OOMKilled/im.test(text))
    return 'out-of-memory';
  if (/resource temporarily unavailable|failed to create new OS thread/i.test(text)) return 'out-of-processes';
  return 'build';
}

const causeWords: Readonly<Record<FailureCause, string>> = {
  'out-of-memory': 'The build ran out of memory',
  'out-of-disk': 'The build ran out of disk space',
  'out-of-processes': 'The build started more processes than it may',
  build: 'The build failed',
};

/** One paragraph on what failed: the step and the last lines it printed. */
export function describeFailure(failure: BuildFailure): string {
  const what = causeWords[failureCause(failure)];
  const place = failure.line > 0 ? ` (line ${String(failure.line)} of the Dockerfile)` : '';
  const where = failure.step === '' ? what : `${what} at ${failure.step}${place}`;
  return `${where}:\n${failure.output === '' ? failure.error : failure.output}`;
}

/** One sentence on a build that was stopped, and the step that it was at. */
export function describeTimeout(log: string, limitMs: number): string {
  const step = log.split('\n').findLast((line) => /^#\d+ \[(?!internal\]).*\d+\/\d+\] /.test(line));
  const at = step === undefined ? '' : `, at ${step.replace(/^#\d+ /, '').trimEnd()}`;
  const limit = limitMs >= 60_000 ? `${String(limitMs / 60_000)} minutes` : `${String(limitMs / 1000)} seconds`;
  return `The build was still running after ${limit}${at}, and was stopped.`;
}
