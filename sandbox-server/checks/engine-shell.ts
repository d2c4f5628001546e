import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Engine, ExecSpec, RunningExec } from '../engines/engine.ts';
import { BallastError } from '../protocol/index.ts';
import { collect } from './collect.ts';
import type { RunOptions, RunResult, SandboxShell } from './sandbox-shell.ts';

const defaultTimeoutMs = 60_000;
const defaultMaxOutputBytes = 1024 * 1024;
/** After this the server stops waiting for a sandbox that does not even honour `timeout --kill-after`. */
const graceMs = 15_000;

async function feed(exec: RunningExec, stdin: RunOptions['stdin']): Promise<void> {
  if (stdin === undefined) {
    exec.stdin.end();
    return;
  }
  const source = typeof stdin === 'string' || Buffer.isBuffer(stdin) ? Readable.from([Buffer.from(stdin)]) : stdin;
  try {
    await pipeline(source, exec.stdin);
  } catch (error) {
    // A program may end before it has read all of its input; its exit code tells the story.
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EPIPE' && code !== 'ECONNRESET' && code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  }
}

/** Docker cannot kill an exec, so the time limit is kept inside the sandbox by coreutils' timeout. */
function toExecSpec(argv: readonly string[], options: RunOptions, timeoutMs: number): ExecSpec {
  const seconds = Math.max(0.1, timeoutMs / 1000).toFixed(1);
  return {
    argv: ['/usr/bin/timeout', '--kill-after=2', seconds, ...argv],
    user: 'learner',
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: options.env }),
  };
}

function whenAborted(exec: RunningExec, signal: AbortSignal | undefined): () => void {
  if (signal === undefined) return () => undefined;
  const abort = (): void => {
    exec.destroy();
  };
  signal.addEventListener('abort', abort, { once: true });
  return () => {
    signal.removeEventListener('abort', abort);
  };
}

/**
 * Runs programs in one sandbox as the learner, through its engine.
 * @param engine where the sandbox lives
 * @param sandboxId the engine's id of the sandbox
 */
export function createEngineShell(engine: Engine, sandboxId: string): SandboxShell {
  async function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    options.signal?.throwIfAborted();
    const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
    const limit = options.maxOutputBytes ?? defaultMaxOutputBytes;
    const started = performance.now();
    const exec = await engine.exec(sandboxId, toExecSpec(argv, options, timeoutMs));
    const stopListening = whenAborted(exec, options.signal);
    const guard = setTimeout(() => {
      exec.destroy();
    }, timeoutMs + graceMs);
    try {
      const [stdout, stderr] = await Promise.all([
        collect(exec.stdout, limit, options.keep),
        collect(exec.stderr, limit, options.keep),
        feed(exec, options.stdin),
      ]);
      const exitCode = await exec.exitCode();
      return {
        exitCode,
        stdout: stdout.text,
        stderr: stderr.text,
        timedOut: (exitCode === 124 || exitCode === 137) && performance.now() - started >= timeoutMs,
        truncated: stdout.truncated || stderr.truncated,
      };
    } catch (cause) {
      options.signal?.throwIfAborted();
      if (cause instanceof BallastError) throw cause;
      throw new BallastError('sandbox_failed', {
        message: `The sandbox stopped answering while running ${argv[0] ?? 'a program'}.`,
        cause,
      });
    } finally {
      clearTimeout(guard);
      stopListening();
    }
  }

  async function stream(argv: readonly string[], options: RunOptions = {}): Promise<Readable> {
    options.signal?.throwIfAborted();
    const exec = await engine.exec(sandboxId, toExecSpec(argv, options, options.timeoutMs ?? defaultTimeoutMs));
    const stopListening = whenAborted(exec, options.signal);
    const errors = collect(exec.stderr, 4096);
    errors.catch(() => undefined);
    const fed = feed(exec, options.stdin);
    fed.catch(() => undefined);

    async function* chunks(): AsyncGenerator<Buffer> {
      try {
        for await (const chunk of exec.stdout) yield chunk as Buffer;
        const [exitCode, stderr] = await Promise.all([exec.exitCode(), errors]);
        if (exitCode !== 0) {
          throw new BallastError('sandbox_failed', {
            message: `${argv.slice(0, 3).join(' ')} ended with exit code ${String(exitCode)}: ${stderr.text.trim()}`,
          });
        }
      } finally {
        stopListening();
        exec.destroy();
      }
    }
    return Readable.from(chunks(), { objectMode: false });
  }

  return { run, stream };
}
