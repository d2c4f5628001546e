import type { Readable } from 'node:stream';

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string | Buffer | Readable;
  /** Default 60 000. */
  readonly timeoutMs?: number;
  /** Per stream; what is over is dropped and `truncated` set. Default 1 MiB. */
  readonly maxOutputBytes?: number;
  /** What of a longer output is kept: its start, or half of it from each end, in lines of their own. Default "start". */
  readonly keep?: 'start' | 'ends';
  readonly signal?: AbortSignal;
}

export interface RunResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
  readonly truncated: boolean;
}

/** Runs programs inside one sandbox. Arguments are data: there is no shell line. */
export interface SandboxShell {
  /** Run to the end. A non-zero exit code is a result, not an exception; throws BallastError when the sandbox is gone. */
  run(argv: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** Start a program and read its standard output as it comes (`docker save`); ends with an error when the program fails. */
  stream(argv: readonly string[], options?: RunOptions): Promise<Readable>;
}
