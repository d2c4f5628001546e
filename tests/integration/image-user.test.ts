import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { resolveUser } from '../../sandbox-server/checks/image-user.ts';
import { createSandboxImages } from '../../sandbox-server/checks/index.ts';
import type { SandboxShell } from '../../sandbox-server/checks/index.ts';
import { newSessionId } from '../../sandbox-server/sessions/credentials.ts';
import { openSandbox, removeSandboxes } from '../helpers/clean-room.ts';
import { prepareBase } from '../helpers/server.ts';
import type { Base } from '../helpers/server.ts';

// As whom a container starts is the runtime's to say: what we make of an image's list of users is held against it.

const host = newSessionId();
const home = mkdtempSync(join(tmpdir(), 'ballast-image-user-'));
const labDir = '/home/learner/lab';
let base: Base;
let shell: SandboxShell;

/** Lines that are not as they should be, and a few that are. */
const passwd = `root:x:0:0::/:/x
cut
cut:x:1000:1000::/:/x
short:x
empty:x::1::/:/x
hex:x:0x3e8:1::/:/x
tail:x:1000x:1::/:/x
plus:x:+7:1::/:/x
  spaced:x:8:1::/:/x\t
\u00a0wide:x:9:1::/:/x
twice:x:10:1::/:/x
twice:x:0:0::/:/x
wrapped:x:4294967296:1::/:/x
fine:x:11:11::/:/x
`;

beforeAll(async () => {
  base = await prepareBase(home);
  ({ shell } = await openSandbox(base, host));
  await run(['/usr/bin/mkdir', '--parents', labDir]);
  await run(['/usr/bin/tee', `${labDir}/passwd`], passwd);
  const dockerfile = 'FROM gcr.io/distroless/static-debian13:debug\nCOPY passwd /etc/passwd\nUSER cut\n';
  await run(['/usr/bin/tee', `${labDir}/Dockerfile`], dockerfile);
  await run(['/usr/bin/docker', 'build', '--quiet', '--tag', 'users', labDir]);
});
afterAll(async () => {
  await removeSandboxes(base, host);
  rmSync(home, { recursive: true, force: true });
});

async function run(argv: readonly string[], stdin?: string): Promise<void> {
  const result = await shell.run(argv, { timeoutMs: 120_000, ...(stdin === undefined ? {} : { stdin }) });
  expect(result, argv.join(' ')).toMatchObject({ exitCode: 0 });
}

it('is as the runtime has it, whatever the list of users looks like', async () => {
  const names = [...passwd.matchAll(/^\s*(\w+)/gm)].map(([, name = '']) => name);
  const numbers = ['0', '+0', '11', '4294967296', '65000'];
  const none = ['nobody-here', '2147483648', '-1'];
  for (const user of [...new Set(names), ...numbers, ...none]) {
    const argv = ['/usr/bin/docker', 'run', '--rm', '--network=none', '--user', user, '--entrypoint=/busybox/id'];
    const answer = await shell.run([...argv, 'users', '-u'], { timeoutMs: 60_000 });
    const resolved = resolveUser(user, passwd);
    const started = answer.exitCode === 0 ? answer.stdout.trim() : 'none';
    expect(resolved.found ? String(resolved.uid) : 'none', user).toBe(started);
  }
});

it('is root where the first line of the name says nothing else', async () => {
  const images = createSandboxImages(shell);
  const context = { shell, images, labDir, mode: 'live', signal: AbortSignal.timeout(60_000) } as const;
  expect(await base.kinds.get('non-root')?.run({ image: 'users' }, context)).toMatchObject({
    status: 'fail',
    actual: 'It starts as 0 (cut): USER is "cut".',
  });
});
