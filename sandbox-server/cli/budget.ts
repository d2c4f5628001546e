import { readFile, rename, writeFile } from 'node:fs/promises';
import { plainText } from '../checks/plain-text.ts';
import { createArchiveImageReader } from '../images/archive-image-reader.ts';
import { judgeBudget, parseBaseline, toBaseline } from '../images/size-budget.ts';
import type { BudgetReport, Growth } from '../images/size-budget.ts';
import { formatBytes } from '../labs/quantities.ts';
import { BallastError } from '../protocol/index.ts';
import { imageSourceOf } from './image-source.ts';
import { report } from './report.ts';

/** As those of `grade`: within the budget, past it, usage, could not tell. */
const statuses = { kept: 0, past: 1, usage: 2, failed: 3 } as const;
const usageCodes: ReadonlySet<string> = new Set(['bad_request', 'image_not_found']);

export interface BudgetOptions {
  readonly baseline: string;
  /** Share, 0.05 for 5 %. */
  readonly maxGrowth: number;
  /** Write the baseline instead of judging by it. */
  readonly update?: boolean;
}

/** `ballast budget IMAGE`: whether an image has grown more than it may over its baseline; sets the exit status. */
export async function budget(image: string, options: BudgetOptions): Promise<void> {
  try {
    const now = toBaseline(await createArchiveImageReader(await imageSourceOf(image)).read(image));
    if (options.update === true) {
      await writeWhole(options.baseline, `${JSON.stringify(now, null, 2)}\n`);
      process.stdout.write(`${options.baseline} now says ${formatBytes(now.sizeBytes)}.\n`);
      return;
    }
    const baseline = parseBaseline(await readBaseline(options.baseline), options.baseline);
    const judged = judgeBudget(baseline, now, options.maxGrowth);
    process.stdout.write(formatBudget(judged, options.maxGrowth));
    process.exitCode = judged.kept ? statuses.kept : statuses.past;
  } catch (error) {
    report(error);
    const usage = error instanceof BallastError && usageCodes.has(error.code);
    process.exitCode = usage ? statuses.usage : statuses.failed;
  }
}

async function readBaseline(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new BallastError('bad_request', {
      message: `${file} cannot be read.`,
      hint: 'Write it with --update, and commit it with the sources.',
      cause,
    });
  }
}

/** A baseline cut short by a full disk would fail the next build. */
async function writeWhole(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}

function formatBudget({ before, after, growth, kept, layers, files }: BudgetReport, maxGrowth: number): string {
  const change = `${formatBytes(before)} → ${formatBytes(after)} (${percent(growth)}; at most ${percent(maxGrowth)})`;
  const list = (title: string, all: readonly Growth[]): string[] =>
    all.length === 0
      ? []
      : ['', title, ...all.map((one) => `  +${formatBytes(one.after - one.before)}  ${plainText(one.name, 120)}`)];
  return `${[`${kept ? 'Within' : 'Past'} the budget: ${change}`, ...list('Layers that grew:', layers), ...list('Files that grew:', files)].join('\n')}\n`;
}

const percent = (share: number): string => `${share >= 0 ? '+' : ''}${(share * 100).toFixed(1)} %`;
