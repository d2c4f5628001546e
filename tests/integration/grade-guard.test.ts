import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { projectRoot } from '../../sandbox-server/cli/project.ts';
import type { SandboxRecord } from '../../sandbox-server/engines/engine.ts';
import { gradeSubmission } from '../../sandbox-server/grading/index.ts';
import type { Lab } from '../../sandbox-server/labs/index.ts';
import { reapEnded } from '../../sandbox-server/sessions/reap-ended.ts';
import { readHostId } from '../../sandbox-server/setup/host-id.ts';
import { makeTar } from '../helpers/archives.ts';
import { graderOf } from '../helpers/clean-room.ts';
import { prepareBase, type Base } from '../helpers/server.ts';
import { Readable } from 'node:stream';

const mebibyte = 1024 ** 2;
const home = mkdtempSync(join(tmpdir(), 'ballast-guard-'));
const hostId = readHostId(home);
let base: Base;
let lab: Lab;

beforeAll(async () => {
  base = await prepareBase(home);
  const whole = base.labs.get('multi-stage-go');
  if (whole === undefined) throw new Error('The lab multi-stage-go is missing.');
  const checks = whole.checks.filter(({ kind }) => kind === 'image-built' || kind === 'image-size');
  lab = { ...whole, checks, protected: [] };
});
afterAll(() => {
  rmSync(home, { recursive: true, force: true });
});

const graders = (): Promise<readonly SandboxRecord[]> =>
  base.engine.listSandboxes({ 'ballast.host': hostId, 'ballast.kind': 'grader' });

async function until<Value>(look: () => Promise<Value | null | undefined>): Promise<Value> {
  for (;;) {
    const value = await look();
    if (value !== null && value !== undefined) return value;
    await delay(50);
  }
}

it('a submission that fills the disk has failed, and leaves nothing there', async () => {
  const dockerfile = 'FROM golang:1.24\nRUN dd if=/dev/zero of=/fill bs=1M count=20000\n';
  const result = await gradeSubmission(
    lab,
    { tar: Readable.from([await makeTar([['Dockerfile', dockerfile]])]) },
    {
      ...graderOf(base, hostId),
      kinds: base.kinds,
      disk: { diskBytes: 300 * mebibyte, reserveBytes: 0, checkSeconds: 0.1 },
    },
  );
  expect(result.outcome).toBe('failed');
  const [built, ...others] = result.checks;
  expect(built).toMatchObject({
    status: 'fail',
    expected: expect.stringContaining('within 315 MB of disk') as string,
    actual: expect.stringMatching(/It took .* of the disk when it was stopped; 315 MB are allowed/) as string,
  });
  expect(others.map(({ status }) => status)).toEqual(others.map(() => 'skip'));
  expect(await graders()).toEqual([]);
});

it('a grader stops when its process is killed and is removed then; one at work stays', async () => {
  const child = spawn(
    process.execPath,
    ['sandbox-server/cli/main.ts', 'grade', 'multi-stage-go', join(projectRoot, 'labs/multi-stage-go/solution')],
    { cwd: projectRoot, env: { ...process.env, BALLAST_HOME: home }, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const exited = once(child, 'exit');
  // The first check that was judged: the grader is at work.
  await once(child.stderr, 'data');
  const { id } = await until(async () => (await graders()).find(({ running }) => running));
  await reapEnded(base.engine, hostId);
  expect((await base.engine.inspectSandbox(id))?.running).toBe(true);

  child.kill('SIGKILL');
  await exited;
  await until(async () => ((await base.engine.inspectSandbox(id))?.running === false ? true : null));
  // It is left alone for some seconds: it might be one that is just being made.
  await until(async () => {
    await reapEnded(base.engine, hostId);
    return (await graders()).length === 0 ? true : null;
  });
  expect(await base.engine.listVolumes({ 'ballast.host': hostId, 'ballast.kind': 'grader' })).toEqual([]);
});
