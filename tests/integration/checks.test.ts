import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSandboxImages, runChecks } from '../../sandbox-server/checks/index.ts';
import type { SandboxShell } from '../../sandbox-server/checks/index.ts';
import { gradeSubmission, verifyLab } from '../../sandbox-server/grading/index.ts';
import { packSubmission, readSubmissionFolder } from '../../sandbox-server/grading/submission.ts';
import type { Lab } from '../../sandbox-server/labs/index.ts';
import type { CheckResult, LabResult } from '../../sandbox-server/protocol/index.ts';
import { newSessionId } from '../../sandbox-server/sessions/credentials.ts';
import { graderOf, openSandbox, removeSandboxes } from '../helpers/clean-room.ts';
import { prepareBase } from '../helpers/server.ts';
import type { Base } from '../helpers/server.ts';

const host = newSessionId();
const home = mkdtempSync(join(tmpdir(), 'ballast-checks-'));
let base: Base;
let lab: Lab;

beforeAll(async () => {
  base = await prepareBase(home);
  const found = base.labs.get('multi-stage-go');
  if (found === undefined) throw new Error('The lab multi-stage-go is missing.');
  lab = found;
});
afterAll(async () => {
  await removeSandboxes(base, host);
  rmSync(home, { recursive: true, force: true });
});

const statuses = (result: LabResult): Record<string, CheckResult['status']> =>
  Object.fromEntries(result.checks.map(({ id, status }) => [id, status]));

describe('in the clean room', () => {
  it('the starter fails what it should, the solution passes', { timeout: 600_000 }, async () => {
    const proofs = await verifyLab(lab, { ...graderOf(base, host), kinds: base.kinds, only: ['starter', 'solution'] });
    const [starter, solution] = proofs;
    expect(proofs.map(({ problem }) => problem)).toEqual(['', '']);
    expect(starter && statuses(starter.result)).toEqual({
      'image-built': 'pass',
      'serves-http': 'pass',
      'small-image': 'fail',
      'non-root': 'fail',
      'nothing-extra': 'fail',
      'download-cached': 'fail',
      'tests-in-stage': 'fail',
    });
    for (const check of starter?.result.checks ?? []) {
      if (check.status !== 'fail') continue;
      expect(check.expected).not.toBe('');
      expect(check.actual).not.toBe('');
      expect(check.hint).not.toBe('');
    }
    expect(solution?.result).toMatchObject({ outcome: 'passed', score: 100, maxScore: 100, mode: 'clean-room' });
  });

  it('a build that fails says which step and why, and what hangs on it is skipped', async () => {
    const folder = mkdtempSync(join(home, 'broken-'));
    writeFileSync(join(folder, 'Dockerfile'), 'FROM debian:trixie-slim\nRUN echo first >&2 && no-such-tool --flag\n');
    const result = await gradeSubmission(lab, { dir: folder }, { ...graderOf(base, host), kinds: base.kinds });
    expect(result.outcome).toBe('failed');
    expect(result.checks[0]).toMatchObject({
      status: 'fail',
      actual: expect.stringMatching(/RUN echo first.*line 2 of the Dockerfile.*first\n.*no-such-tool/s) as string,
      hint: expect.stringMatching(/not in the image of this stage/) as string,
    });
    expect(statuses(result)).toMatchObject({ 'serves-http': 'skip', 'non-root': 'skip' });
    expect(await base.engine.listSandboxes({ 'ballast.host': host })).toEqual([]);
  });
});

describe('in a live session', () => {
  const labDir = '/home/learner/multi-stage-go';
  const quickIds = ['image-built', 'serves-http', 'small-image', 'non-root', 'nothing-extra'];
  let shell: SandboxShell;
  let images: ReturnType<typeof createSandboxImages>;

  beforeAll(async () => {
    ({ shell } = await openSandbox(base, host));
    images = createSandboxImages(shell);
    await run(['/usr/bin/mkdir', labDir]);
    await place(lab.startDir);
  });

  async function run(argv: readonly string[], stdin?: string): Promise<string> {
    const result = await shell.run(argv, {
      cwd: '/home/learner',
      timeoutMs: 120_000,
      ...(stdin === undefined ? {} : { stdin }),
    });
    expect(result, `${argv.join(' ')}\n${result.stderr}`).toMatchObject({ exitCode: 0 });
    return result.stdout;
  }

  async function place(dir: string): Promise<void> {
    const stdin = packSubmission(await readSubmissionFolder(dir));
    await shell.run(['/usr/bin/tar', '--extract', `--directory=${labDir}`, '--touch'], { stdin });
  }

  const build = (): Promise<string> => run(['/usr/bin/docker', 'build', '-q', '-t', 'greeter', labDir]);
  const judge = (ids: readonly string[]): Promise<LabResult> =>
    runChecks(lab, { shell, images, labDir, mode: 'live' }, { kinds: base.kinds, ids });

  it('follows what the learner does: nothing built, built, changed, built anew', { timeout: 600_000 }, async () => {
    const nothing = await judge(quickIds);
    expect(nothing.checks[0]).toMatchObject({
      status: 'fail',
      hint: expect.stringContaining('docker build -t greeter .') as string,
    });
    expect(new Set(Object.values(statuses(nothing)).slice(1))).toEqual(new Set(['skip']));

    await build();
    const starter = await judge(quickIds);
    expect(statuses(starter)).toEqual({
      'image-built': 'pass',
      'serves-http': 'pass',
      'small-image': 'fail',
      'non-root': 'fail',
      'nothing-extra': 'fail',
    });
    expect(starter.engine).toMatch(/^\d+\.\d+\.\d+/);

    await place(lab.solutionDir);
    // Past the tolerance for clocks and time stamps.
    await run(['/usr/bin/touch', '--date=+5 seconds', `${labDir}/Dockerfile`]);
    expect((await judge(['image-built'])).checks[0]).toMatchObject({
      status: 'fail',
      actual: expect.stringContaining('has changed since') as string,
    });

    await place(lab.solutionDir);
    await build();
    expect(await judge(quickIds)).toMatchObject({ outcome: 'passed' });
  });

  it('tests in a copy, and leaves files, containers and images as they were', { timeout: 600_000 }, async () => {
    const look = async (): Promise<string[]> => [
      await run(['/usr/bin/find', labDir, '-type', 'f', '-exec', '/usr/bin/sha256sum', '{}', '+']),
      await run(['/usr/bin/docker', 'ps', '--all', '--quiet']),
      // Equivalents are all made at the same date: their order in the list says nothing.
      (await run(['/usr/bin/docker', 'images', '--all', '--quiet'])).split('\n').sort().join('\n'),
      await run(['/usr/bin/find', '/tmp', '-maxdepth', '1', '-name', 'ballast-check.*']),
    ];
    const before = await look();
    const result = await judge(['tests-in-stage', 'serves-http']);
    expect(result.outcome, JSON.stringify(result.checks, null, 2)).toBe('passed');
    expect(await look()).toEqual(before);
  });

  it('counts in a layer just what it adds, also right above a base image of one layer', async () => {
    const dockerfile = 'FROM debian:trixie-slim\nCOPY main.go /\nRUN rm /main.go\n';
    await run(['/usr/bin/docker', 'build', '-q', '-t', 'thin', '-f', '-', labDir], dockerfile);
    const { layers, merged } = await images.read('thin');
    const [base, copied, removed] = layers;
    expect(base?.sizeBytes).toBeGreaterThan(50e6);
    expect(copied?.entries.map(({ path }) => path)).toEqual(['main.go']);
    expect(removed?.whiteouts).toEqual(['main.go']);
    expect(merged.has('main.go')).toBe(false);
  });

  it('tells a port that is not the one asked for', async () => {
    await run(['/usr/bin/sed', '-i', 's/":8080"/":9090"/', `${labDir}/main.go`]);
    await build();
    const result = await judge(['serves-http']);
    expect(result.checks.at(-1)).toMatchObject({
      status: 'fail',
      hint: expect.stringContaining('listens on 9090, not on 8080') as string,
    });
  });
});
