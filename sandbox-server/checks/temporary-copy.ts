import { posix } from 'node:path';
import { formatBytes } from '../labs/quantities.ts';
import { BallastError } from '../protocol/index.ts';
import { CheckFailed } from './check-failed.ts';
import type { CheckContext } from './check-kind.ts';
import { readSandboxFile } from './sandbox-file.ts';
import type { RunOptions } from './sandbox-shell.ts';

export interface TemporaryCopy {
  /** Absolute path of the copy in the sandbox. */
  readonly dir: string;
  /** Write a file of the copy. `path` is relative and the lab author's, never a learner's. */
  write(path: string, text: string): Promise<void>;
  /** Text of a file of the copy, or null when there is none. `path` is the lab author's. @throws CheckFailed past 1 MiB */
  read(path: string): Promise<string | null>;
}

const copyTimeoutMs = 60_000;
const maxFileBytes = 1024 ** 2;

/** Copy a folder inside the sandbox, use the copy, and remove it whatever happens. */
export async function withTemporaryCopy<Result>(
  context: CheckContext,
  folder: string,
  use: (copy: TemporaryCopy) => Promise<Result>,
): Promise<Result> {
  const run = async (argv: readonly string[], options: RunOptions = {}): Promise<string> => {
    const result = await context.shell.run(argv, { timeoutMs: copyTimeoutMs, signal: context.signal, ...options });
    if (result.exitCode === 0) return result.stdout.trim();
    throw new BallastError('sandbox_failed', { message: `${argv[0] ?? ''} failed: ${result.stderr.trim()}` });
  };
  const dir = await run(['/usr/bin/mktemp', '--directory', '--tmpdir', 'ballast-check.XXXXXXXX']);
  try {
    await run(['/usr/bin/cp', '--archive', '--', `${folder}/.`, dir]);
    return await use({
      dir,
      async write(path, text) {
        const file = posix.join(dir, path);
        // Removed first: the learner may have put a link there that leads out of the copy.
        await run(['/usr/bin/rm', '--recursive', '--force', '--', file]);
        await run(['/usr/bin/mkdir', '--parents', '--', posix.dirname(file)]);
        await run(['/usr/bin/tee', '--', file], { stdin: text });
      },
      async read(path) {
        const options = { timeoutMs: copyTimeoutMs, maxOutputBytes: maxFileBytes, signal: context.signal };
        const { text, truncated } = await readSandboxFile(context.shell, posix.join(dir, path), options);
        if (truncated) {
          throw new CheckFailed({
            expected: `${path} has at most ${formatBytes(maxFileBytes)}.`,
            actual: 'It is larger, too much to look into.',
          });
        }
        return text;
      },
    });
  } finally {
    // Not under the check's signal: the copy goes even when the check's time is up.
    await context.shell.run(['/usr/bin/rm', '--recursive', '--force', '--', dir], { timeoutMs: copyTimeoutMs });
  }
}
