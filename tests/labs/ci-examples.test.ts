import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { projectRoot } from '../../sandbox-server/cli/project.ts';
import { haveDebianPackage } from '../helpers/debian-package.ts';
import { gitlab, makeRepository, shellUnder, yamlUnder } from '../helpers/ci-examples.ts';

/** The jobs of docs/ci.md, run as they stand there, with Ballast from a fresh clone of what is committed. */

interface Job {
  readonly steps: readonly { readonly run?: string; readonly with?: { readonly path?: string } }[];
}

const folder = mkdtempSync(join(tmpdir(), 'ballast-ci-'));
const lab = 'multi-stage-go';
const dockerfile = 'FROM scratch\nCOPY big /usr/local/big\n';
const env = {
  BALLAST_HOME: join(folder, 'home'),
  BALLAST_REPOSITORY: `file://${projectRoot}`,
  // As on a runner: without the programs of this project's own dependencies.
  PATH: (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((part) => !part.includes('node_modules'))
    .join(delimiter),
};

beforeAll(() => {
  mkdirSync(env.BALLAST_HOME);
  execFileSync('git', ['clone', '--quiet', env.BALLAST_REPOSITORY, join(folder, 'ballast')]);
});
afterAll(() => {
  spawnSync('docker', ['image', 'rm', '--force', 'my-app']);
  rmSync(folder, { recursive: true, force: true });
});

/** A working folder with an app whose image holds one file of so many bytes. */
function workspace(name: string, bytes: number): string {
  const dir = join(folder, name);
  makeRepository(dir, { Dockerfile: dockerfile, big: 'x'.repeat(bytes) });
  return dir;
}

const shell = (line: string, cwd: string): { readonly status: number | null; readonly output: string } => {
  // GitHub runs a step so.
  const { status, stdout, stderr } = spawnSync('bash', ['-e', '-o', 'pipefail', '-c', line], {
    cwd,
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });
  return { status, output: `${stdout}${stderr}` };
};

/** Runs the steps of a job until one fails. Those with sudo change the machine: they are for the runner alone. */
function runJob(name: string, cwd: string): { readonly status: number | null; readonly output: string } {
  const workflow = parse(yamlUnder('GitHub Actions')) as { jobs: Readonly<Record<string, Job>> };
  const steps = workflow.jobs[name]?.steps ?? [];
  expect(steps.some(({ run }) => run?.includes('ballast.mjs'))).toBe(true);
  let output = '';
  for (const { run, with: inputs } of steps) {
    if (inputs?.path === 'ballast') cpSync(join(folder, 'ballast'), join(cwd, 'ballast'), { recursive: true });
    if (run === undefined || run.startsWith('sudo ')) continue;
    const done = shell(run, cwd);
    output += done.output;
    if (done.status !== 0) return { status: done.status, output };
  }
  return { status: 0, output };
}

it('the size budget on GitHub: a baseline, a build within it, and one that says what grew', () => {
  const dir = workspace('size', 1_000_000);
  const [update, check] = shellUnder('A size budget').map((line) =>
    line.replace('npx ballast', `node ${join(folder, 'ballast')}/bin/ballast.mjs`).replace('my-app:latest', 'my-app'),
  );
  expect(shell(`docker build --quiet --tag my-app .; ${update ?? ''}`, dir)).toMatchObject({ status: 0 });
  expect(existsSync(join(dir, 'size.json'))).toBe(true);
  expect(shell(check ?? '', dir)).toMatchObject({ status: 0 });
  expect(runJob('size', dir)).toMatchObject({ status: 0 });

  writeFileSync(join(dir, 'big'), 'x'.repeat(1_100_000));
  const grown = runJob('size', dir);
  expect(grown.status, grown.output).toBe(1);
  expect(grown.output).toMatch(/Layers that grew:\n.*COPY .*big/);
  expect(grown.output).toMatch(/Files that grew:\n.*usr\/local\/big/);
});

it('grading on GitHub writes JUnit XML', () => {
  const dir = join(folder, 'grade');
  mkdirSync(dir);
  cpSync(join(projectRoot, 'labs', lab, 'solution'), join(dir, 'submission'), { recursive: true });
  const graded = runJob('grade', dir);
  expect(graded.status, graded.output).toBe(0);
  expect(readFileSync(join(dir, 'grade.xml'), 'utf8')).toContain('failures="0" errors="0"');
});

it("GitLab's jobs run: the size budget holds, a wrong submission fails and leaves its report", async ({ skip }) => {
  // gitlab-ci-local copies the files of a job with it.
  skip(!(await haveDebianPackage('rsync')), 'rsync is not installed, and this is no root of a Debian');
  const size = workspace('gitlab-size', 1_000_000);
  writeFileSync(join(size, '.gitlab-ci.yml'), yamlUnder('GitLab'));
  const [update = ''] = shellUnder('A size budget');
  const build = 'docker build --quiet --tag my-app:latest .';
  expect(
    shell(`${build}; ${update.replace('npx ballast', `node ${join(folder, 'ballast')}/bin/ballast.mjs`)}`, size),
  ).toMatchObject({ status: 0 });
  // Twice: the runner keeps what the first job left behind.
  for (const time of ['first', 'second']) {
    const within = gitlab(size, ['size'], env);
    expect(within.status, `${time} time: ${within.output}`).toBe(0);
  }

  const submission = join(folder, 'class', 'submission');
  cpSync(join(projectRoot, 'labs', lab, 'solution'), submission, { recursive: true });
  makeRepository(submission, { Dockerfile: 'FROM golang:1.24\nRUN exit 7\n', '.gitlab-ci.yml': yamlUnder('GitLab') });
  const graded = gitlab(submission, ['grade'], env);
  expect(graded.status, graded.output).not.toBe(0);
  expect(readFileSync(join(submission, 'grade.xml'), 'utf8')).toContain('exit code: 7');
  expect(readdirSync(join(folder, 'class'))).toEqual(['submission']);
});
