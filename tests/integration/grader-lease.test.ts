import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { projectRoot } from '../../sandbox-server/cli/project.ts';
import type { SandboxRecord } from '../../sandbox-server/engines/engine.ts';
import { reapEnded } from '../../sandbox-server/sessions/reap-ended.ts';
import { readHostId } from '../../sandbox-server/setup/host-id.ts';
import { prepareBase, type Base } from '../helpers/server.ts';

const home = mkdtempSync(join(tmpdir(), 'ballast-guard-'));
const hostId = readHostId(home);
let base: Base;

beforeAll(async () => {
  base = await prepareBase(home);
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
