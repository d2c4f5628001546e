import { spawn } from 'node:child_process';
import { BallastError } from '../protocol/index.ts';
import type { Progress } from '../engines/engine.ts';

const keptLines = 20;

/**
 * Runs a program of the host to its end, each line it prints going to `progress`.
 * @param command program, found in PATH; never a shell line
 * @throws BallastError setup_failed with its last lines when it cannot be started or ends with another code than 0
 */
export async function runProgram(
  command: string,
  args: readonly string[],
  options: { progress?: Progress; env?: NodeJS.ProcessEnv; cwd?: string; hint?: string } = {},
): Promise<string> {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const last: string[] = [];
  let output = '';
  const take = (chunk: Buffer): void => {
    const text = chunk.toString('utf8');
    if (output.length < 1_000_000) output += text;
    for (const line of text.split(/[\r\n]+/).filter((part) => part.trim() !== '')) {
      options.progress?.({ text: line });
      last.push(line);
      if (last.length > keptLines) last.shift();
    }
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  }).catch((cause: unknown) => {
    throw new BallastError('setup_failed', {
      message: `${command} could not be run: ${(cause as Error).message}`,
      cause,
    });
  });
  if (code !== 0) {
    throw new BallastError('setup_failed', {
      message: `${command} ${args[0] ?? ''} ended with exit code ${String(code)}:\n${last.join('\n')}`,
      ...(options.hint === undefined ? {} : { hint: options.hint }),
    });
  }
  return output;
}
