import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';

/** How many tests (or checks that count as one) ended how. */
export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Sums tallies. */
export function total(tallies: readonly Tally[]): Tally {
  return {
    passed: tallies.reduce((sum, { passed }) => sum + passed, 0),
    failed: tallies.reduce((sum, { failed }) => sum + failed, 0),
    skipped: tallies.reduce((sum, { skipped }) => sum + skipped, 0),
  };
}

async function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<number> {
  const child = spawn(program, args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ASTRO_TELEMETRY_DISABLED: '1', ...env },
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => {
      resolve(code ?? 1);
    });
  });
}

function say(title: string): () => string {
  const started = Date.now();
  process.stderr.write(`\n=== ${title}\n`);
  return () => `${((Date.now() - started) / 1000).toFixed(1)} s`;
}

/** Runs a tool whose exit code is the verdict; it counts as one test. */
export async function runStep(title: string, program: string, args: readonly string[]): Promise<Tally> {
  const elapsed = say(title);
  const code = await run(program, args);
  process.stderr.write(`--- ${title}: ${code === 0 ? 'ok' : `FAILED (exit code ${String(code)})`}, ${elapsed()}\n`);
  return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 };
}

/** A runner that dies without a report has failed, whatever it printed. */
async function runReported(
  title: string,
  start: (reportFile: string) => Promise<number>,
  read: (value: unknown) => Tally,
): Promise<Tally> {
  const elapsed = say(title);
  const folder = mkdtempSync(join(tmpdir(), 'ballast-test-'));
  const file = join(folder, 'report.json');
  const code = await start(file);
  const counted = existsSync(file)
    ? read(JSON.parse(readFileSync(file, 'utf8')))
    : { passed: 0, failed: 1, skipped: 0 };
  rmSync(folder, { recursive: true });
  const tally = code !== 0 && counted.failed === 0 ? { ...counted, failed: 1 } : counted;
  process.stderr.write(
    `--- ${title}: ${String(tally.passed)} passed, ${String(tally.failed)} failed, ${String(tally.skipped)} skipped, ${elapsed()}\n`,
  );
  return tally;
}

const vitestReport = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
  numFailedTestSuites: z.number(),
});

/** Runs one project of vitest.config.ts. */
export async function runVitest(title: string, project: string): Promise<Tally> {
  return runReported(
    title,
    (file) =>
      run('vitest', [
        'run',
        '--project',
        project,
        '--reporter=default',
        '--reporter=./tests/helpers/skip-reporter.ts',
        '--reporter=json',
        `--outputFile.json=${file}`,
      ]),
    (value) => {
      const counts = vitestReport.parse(value);
      // A file that fails to load has no test to count.
      const failed = counts.numFailedTests === 0 && counts.numFailedTestSuites > 0 ? 1 : counts.numFailedTests;
      return { passed: counts.numPassedTests, failed, skipped: counts.numPendingTests + counts.numTodoTests };
    },
  );
}

const playwrightReport = z.object({
  stats: z.object({ expected: z.number(), unexpected: z.number(), flaky: z.number(), skipped: z.number() }),
});

/** Runs the browser tests. */
export async function runPlaywright(title: string): Promise<Tally> {
  return runReported(
    title,
    (file) => run('playwright', ['test', '--reporter=list,json'], { PLAYWRIGHT_JSON_OUTPUT_NAME: file }),
    (value) => {
      const { stats } = playwrightReport.parse(value);
      return { passed: stats.expected, failed: stats.unexpected + stats.flaky, skipped: stats.skipped };
    },
  );
}
