import pc from 'picocolors';
import { BallastError } from '../protocol/index.ts';

/**
 * Prints an error for a person on stderr: what is wrong and what to do; a stack only for what we did not foresee.
 * @returns the exit status, 1
 */
export function report(error: unknown): number {
  if (error instanceof BallastError) {
    process.stderr.write(
      `\n${pc.red('Error')} (${error.code}): ${error.message}\n  ${pc.bold('What to do:')} ${error.hint}\n`,
    );
  } else {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(`\n${pc.red('Error')} (internal): ${text}\n`);
  }
  return 1;
}
