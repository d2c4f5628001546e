import { setTimeout as delay } from 'node:timers/promises';
import type { Readable } from 'node:stream';
import type { Engine, ExecSpec, RunningExec } from '../engines/engine.ts';

const maxLineLength = 16 * 1024;
const firstRestartMs = 500;
const longestRestartMs = 30_000;

/**
 * Runs "$@" until its own standard input ends, then ends it. Docker cannot kill an exec, but it closes the input when
 * the client goes, even one killed with -9; `timeout 0` gives the program a process group that can be ended as one.
 */
const watchScript = `
exec 3<&0
/usr/bin/timeout 0 "$@" </dev/null 3<&- &
program=$!
cat <&3 >/dev/null &
wait -n
kill "$program" 2>/dev/null
`;

/** Lines of a stream; one that is longer than any of ours is dropped rather than gathered. */
async function* splitLines(stream: Readable): AsyncGenerator<string> {
  let rest = '';
  let dropping = false;
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    rest += decoder.decode(chunk as Buffer, { stream: true });
    const parts = rest.split('\n');
    rest = parts.pop() ?? '';
    for (const line of parts) {
      if (!dropping && line !== '') yield line;
      dropping = false;
    }
    if (rest.length > maxLineLength) {
      dropping = true;
      rest = '';
    }
  }
}

async function runOnce(exec: RunningExec, onLine: (line: string) => void, signal: AbortSignal): Promise<void> {
  const stop = (): void => {
    exec.stdin.end();
    // The end of its input ends the program; the connection goes after it, or at once if it does not heed.
    setTimeout(() => {
      exec.destroy();
    }, 1000).unref();
  };
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  exec.stderr.resume();
  exec.stderr.on('error', () => undefined);
  try {
    for await (const line of splitLines(exec.stdout)) {
      if (!signal.aborted) onLine(line);
    }
  } finally {
    signal.removeEventListener('abort', stop);
    exec.destroy();
  }
}

/**
 * Keeps a program running in a sandbox and reads what it prints, a line at a time; starts it again, ever more
 * slowly, when it ends. Resolves when `signal` aborts; never rejects.
 * @param onFailure told when it could not be started or its connection broke
 */
export async function followLines(
  engine: Engine,
  sandboxId: string,
  argv: readonly string[],
  options: {
    readonly signal: AbortSignal;
    readonly user?: ExecSpec['user'];
    onLine(line: string): void;
    onFailure(error: unknown): void;
  },
): Promise<void> {
  const { signal } = options;
  let waitMs = firstRestartMs;
  while (!signal.aborted) {
    try {
      const exec = await engine.exec(sandboxId, {
        argv: ['/bin/bash', '-c', watchScript, 'ballast-follow', ...argv],
        user: options.user ?? 'learner',
      });
      const heard = (line: string): void => {
        waitMs = firstRestartMs;
        options.onLine(line);
      };
      await runOnce(exec, heard, signal);
    } catch (error) {
      options.onFailure(error);
    }
    await delay(waitMs, undefined, { signal, ref: false }).catch(() => undefined);
    waitMs = Math.min(waitMs * 2, longestRestartMs);
  }
}
