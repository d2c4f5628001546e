import { inspect } from 'node:util';
import pc from 'picocolors';
import { plainText } from '../checks/plain-text.ts';
import { hasColors } from '../colors.ts';
import { BallastError } from '../protocol/index.ts';

/** Characters of a message, and of a stack with the causes under it. */
const most = { message: 2000, stack: 8000 } as const;

/**
 * Prints an error for a person on stderr: what is wrong and what to do; a stack only for what we did not foresee.
 * Messages quote names that learners gave their files: nothing of that may move a cursor or change a title.
 * @returns the exit status, 1
 */
export function report(error: unknown): number {
  const paint = pc.createColors(hasColors(process.stderr));
  if (error instanceof BallastError) {
    const { code, message, hint } = error;
    process.stderr.write(
      `\n${paint.red('Error')} (${code}): ${plainText(message, most.message)}\n  ${paint.bold('What to do:')} ${plainText(hint, most.message)}\n`,
    );
  } else {
    process.stderr.write(`\n${paint.red('Error')} (internal): ${describeError(error)}\n`);
  }
  return 1;
}

/** An error with its stack and those of its causes, as plain text for a log on a terminal. */
export function describeError(error: unknown): string {
  const parts: string[] = [];
  const seen = new Set<unknown>();
  for (let next = error; next !== undefined && next !== null && !seen.has(next);) {
    seen.add(next);
    parts.push(next instanceof Error ? (next.stack ?? next.message) : inspect(next));
    next = next instanceof Error ? next.cause : undefined;
  }
  return plainText(parts.join('\ncaused by: '), most.stack);
}
