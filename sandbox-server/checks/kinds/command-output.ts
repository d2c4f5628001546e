import { z } from 'zod';
import { BallastError } from '../../protocol/index.ts';
import type { CheckKind } from '../check-kind.ts';
import { imageParameter } from '../parameters.ts';
import { lastLines } from '../plain-text.ts';
import { killedHint } from '../readiness.ts';
import { runOnce } from '../run-once.ts';
import { startHint } from '../start-hints.ts';
import { duration } from '../../labs/quantities.ts';

const schema = z.strictObject({
  image: imageParameter,
  entrypoint: z.string().min(1).optional().describe('Program to run in place of what the image starts.'),
  args: z.array(z.string()).default([]).describe('Arguments; they replace the CMD of the image.'),
  exitCode: z.int().min(0).max(255).default(0).describe('Exit code of its end.'),
  equals: z.string().optional().describe('All that it prints, but for white space at the ends.'),
  contains: z.string().min(1).optional().describe('Text that it prints.'),
  within: duration.prefault('20s').describe('Time until it must have ended.'),
});
type Parameters = z.output<typeof schema>;

/** Runs the image once, without a network, to its end. */
export const commandOutput: CheckKind<Parameters> = {
  name: 'command-output',
  summary: 'A container of the image runs to its end, with a certain exit code and output.',
  docs: {
    looksAt: 'A container of the image, without a network, run to its end: its exit code and what it printed.',
    example: `image: greeter
args: [--version]
contains: '1.'`,
    fails:
      'Shows the exit code and the last lines it printed. The hint says what the exit code means; a kill for want of memory is told from any other.',
  },
  schema,
  timeoutMs: 180_000,
  async run(parameters, context) {
    const { image, entrypoint, args, exitCode, equals, contains, within } = parameters;
    const shown = `docker run --rm ${entrypoint === undefined ? '' : `--entrypoint ${entrypoint} `}${[image, ...args].join(' ')}`;
    const prints = equals === undefined ? contains : equals.trim();
    const expected = `"${shown}" ends with exit code ${String(exitCode)}${prints === undefined ? '' : ` and prints ${JSON.stringify(prints)}`}.`;
    const answer = await runOnce(context, {
      image,
      args,
      timeoutMs: within,
      ...(entrypoint === undefined ? {} : { entrypoint }),
    });
    if (answer.engineFault !== undefined) throw new BallastError('engine_failed', { message: answer.engineFault });
    const wrong = judgeOutput(answer, parameters);
    if (wrong === undefined) return { status: 'pass', expected, actual: 'It does.' };
    return {
      status: 'fail',
      expected,
      actual: wrong,
      hint: startHint(answer.output) ?? `${exitMeaning(answer)}Try it in the terminal: ${shown}`,
    };
  },
};

/** What is wrong with how a program ended, or undefined. */
export function judgeOutput(
  { timedOut, exitCode, output }: { readonly timedOut: boolean; readonly exitCode: number; readonly output: string },
  wanted: Pick<Parameters, 'exitCode' | 'equals' | 'contains' | 'within'>,
): string | undefined {
  const printed = output.trim() === '' ? 'It printed nothing.' : `It printed:\n${lastLines(output, 8)}`;
  if (timedOut) return `It was still running after ${String(wanted.within / 1000)} seconds. ${printed}`;
  if (exitCode !== wanted.exitCode) return `It ended with exit code ${String(exitCode)}. ${printed}`;
  if (wanted.equals !== undefined && output.trim() !== wanted.equals.trim()) return printed;
  if (wanted.contains !== undefined && !output.includes(wanted.contains)) return printed;
  return undefined;
}

/** What an exit code stands for by convention, as a sentence and a space; "" where it is the program's own. */
export function exitMeaning({
  timedOut,
  exitCode,
  outOfMemory,
}: {
  readonly timedOut: boolean;
  readonly exitCode: number;
  readonly outOfMemory?: boolean;
}): string {
  if (timedOut) return 'It does not end: it waits for input, or is a service. ';
  if (exitCode === 137) return `${killedHint(outOfMemory)} `;
  const meaning = meanings.get(exitCode);
  if (meaning !== undefined) return `Exit code ${String(exitCode)}: ${meaning}. `;
  return exitCode > 128 && exitCode < 128 + 65
    ? `Exit code ${String(exitCode)}: it was ended by signal ${String(exitCode - 128)}. `
    : '';
}

const meanings: ReadonlyMap<number, string> = new Map([
  [2, 'by convention the arguments are not what the program expects; a Go program that panicked ends so, too'],
  [126, 'the program is there, and may not be run: look at its mode'],
  [127, 'the program, or one that it calls, is not there'],
  [132, 'SIGILL: the program is built for a newer or another processor'],
  [134, 'SIGABRT: the program gave itself up'],
  [
    139,
    'SIGSEGV: the program touched memory that it does not have, as one may that is linked against another C library',
  ],
  [143, 'SIGTERM: it was told to end'],
]);
