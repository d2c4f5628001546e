import { BallastError } from '../protocol/index.ts';
import type { RunOptions, SandboxShell } from './sandbox-shell.ts';

/** Of `timeout` and of the engine: the program was not started. Nothing that lies in a folder of a learner causes that. */
const notStarted: ReadonlySet<number> = new Set([125, 126, 127]);

/**
 * Reads a file in the sandbox.
 * @param file its absolute path there
 * @returns `text`: null when there is none; `truncated`: whether it is longer than `maxOutputBytes`
 * @throws BallastError sandbox_failed when no program can be started to read it, as after a fork bomb
 */
export async function readSandboxFile(
  shell: SandboxShell,
  file: string,
  options: Pick<RunOptions, 'timeoutMs' | 'maxOutputBytes' | 'signal'>,
): Promise<{ readonly text: string | null; readonly truncated: boolean }> {
  const { exitCode, stdout, stderr, truncated } = await shell.run(['/usr/bin/cat', '--', file], options);
  if (notStarted.has(exitCode)) {
    throw new BallastError('sandbox_failed', {
      message: `${file} could not be read: the sandbox starts no program any more. ${stderr.trim()}`.trim(),
    });
  }
  return { text: exitCode === 0 ? stdout : null, truncated };
}
