/**
 * The one test run: `npm test`, `npm run test:full` and `npm run check` (only what needs no engine).
 * Prints a line for each step and at last `N passed, N failed, N skipped`.
 */
import { prepareFor } from '../sandbox-server/cli/prepare-for.ts';
import { report } from '../sandbox-server/cli/report.ts';
import { findProgram } from '../sandbox-server/setup/host-system.ts';
import { runProgram } from '../sandbox-server/setup/run-program.ts';
import { haveDebianPackage } from './helpers/debian-package.ts';
import { runPlaywright, runStep, runVitest, total, type Tally } from './helpers/steps.ts';

const full = process.argv.includes('--full');
const quick = process.argv.includes('--quick');

async function installBrowser(): Promise<Tally> {
  if (findProgram('chromium') !== null) return { passed: 0, failed: 0, skipped: 0 };
  process.stderr.write('Installing Chromium for the browser tests …\n');
  if (!(await haveDebianPackage('chromium'))) await runProgram('npx', ['playwright', 'install', 'chromium']);
  return { passed: 0, failed: 0, skipped: 0 };
}

async function main(): Promise<number> {
  const tallies: Tally[] = [
    await runStep('Formatting (prettier)', 'prettier', ['--check', '--log-level', 'warn', '.']),
    await runStep('Types of the protocol (tsc)', 'tsc', ['-p', 'sandbox-server/protocol']),
    await runStep('Types of the server (tsc)', 'tsc', ['-p', 'sandbox-server']),
    await runStep('Types of the tests (tsc)', 'tsc', ['-p', 'tests']),
    await runStep('Types of the client (tsc)', 'tsc', ['-p', 'src/client']),
    await runStep('Types of the site (astro check)', 'astro', ['check', '--minimumFailingSeverity', 'warning']),
    await runStep('Types of the components (svelte-check)', 'svelte-check', [
      '--tsconfig',
      './tsconfig.json',
      '--fail-on-warnings',
    ]),
    await runStep('Lint (eslint)', 'eslint', ['--max-warnings', '0', '.']),
    await runStep('Import directions (dependency-cruiser)', 'depcruise', [
      '--config',
      '.dependency-cruiser.mjs',
      'sandbox-server',
      'src',
      'tests',
      'bin',
    ]),
    await runStep('Unused files, exports and dependencies (knip)', 'knip', []),
    await runVitest('Unit tests', 'unit'),
  ];
  if (!quick) {
    await installBrowser();
    await prepareFor({ withSite: true });
    tallies.push(await runVitest('Contract and integration tests', 'integration'));
    tallies.push(await runVitest('Attacks on sandboxes', 'security'));
    if (full) tallies.push(await runVitest('Heavy tests: every lab and lesson, cheating, disk attacks, soak', 'labs'));
    tallies.push(await runPlaywright('Browser tests'));
  }
  const sum = total(tallies);
  process.stdout.write(
    `\n${String(sum.passed)} passed, ${String(sum.failed)} failed, ${String(sum.skipped)} skipped\n`,
  );
  return sum.failed === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.exitCode = report(error);
  process.stdout.write('\n0 passed, 1 failed\n');
}
