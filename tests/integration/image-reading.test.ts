import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createEngineShell } from '../../sandbox-server/checks/engine-shell.ts';
import { createSandboxImages } from '../../sandbox-server/checks/index.ts';
import type { SandboxShell } from '../../sandbox-server/checks/index.ts';
import { createArchiveImageReader } from '../../sandbox-server/images/archive-image-reader.ts';
import { LayerKnowledge } from '../../sandbox-server/images/layer-memory.ts';
import { newSessionId } from '../../sandbox-server/sessions/credentials.ts';
import { startSandbox } from '../../sandbox-server/sessions/start-sandbox.ts';
import { graderOf } from '../helpers/clean-room.ts';
import { prepareBase } from '../helpers/server.ts';
import type { Base } from '../helpers/server.ts';

// Reading images out of a real engine whose base images are links into a shared store.

const host = 'image-reading-test';
const home = mkdtempSync(join(tmpdir(), 'ballast-image-reading-'));
const debug = 'gcr.io/distroless/static-debian13:debug';
let base: Base;
let shell: SandboxShell;

beforeAll(async () => {
  base = await prepareBase(home);
  const { engine, image, storeVolume, limits, startTimeoutMs } = graderOf(base, host);
  const spec = { session: newSessionId(), kind: 'sandbox', host, image, storeVolume, limits } as const;
  const { id } = await startSandbox(
    engine,
    { ...spec, network: 'none', hostname: 'lab', env: {} },
    { timeoutMs: startTimeoutMs },
  );
  shell = createEngineShell(engine, id);
});
afterAll(async () => {
  for (const { id } of await base.engine.listSandboxes({ 'ballast.host': host })) await base.engine.removeSandbox(id);
  rmSync(home, { recursive: true, force: true });
});

async function build(tag: string, dockerfile: string): Promise<void> {
  const argv = ['/usr/bin/docker', 'build', '--quiet', `--tag=${tag}`, '-'];
  const built = await shell.run(argv, { stdin: dockerfile, timeoutMs: 120_000 });
  expect(built, built.stderr).toMatchObject({ exitCode: 0 });
}

it('saves every base image, and images that add no layer to one', async () => {
  await build('no-layer', `FROM ${debug}\nUSER 65532\n`);
  for (const ref of [...base.prepared.store.images.map((image) => image.ref), 'no-layer']) {
    const saved = await shell.run(['/bin/sh', '-c', 'docker save -- "$1" > /dev/null', 'sh', ref]);
    expect(saved, `${ref}: ${saved.stderr}`).toMatchObject({ exitCode: 0 });
  }
});

it('finds the same as in the whole archive of "docker save"', async () => {
  // Files of several owners, one that only its owner reads, links of both kinds, a deletion and an empty layer.
  await build(
    'mixed',
    `FROM debian:trixie-slim
RUN mkdir /d && echo secret > /d/s && chmod 600 /d/s && chown 1234:5678 /d/s && ln /d/s /d/h && ln -s s /d/l
RUN rm /d/l /etc/debian_version && echo "$(head -c 300000 /dev/zero | tr '\\0' x)" > /d/big
WORKDIR /empty/folder
USER 65532
`,
  );
  const ours = await createSandboxImages(shell, new LayerKnowledge()).read('mixed');
  const whole = createArchiveImageReader({
    resolve: () => Promise.resolve({ id: 'mixed' }),
    save: (id) => shell.stream(['/usr/bin/docker', 'save', '--', id]),
  });
  const { id, ref, ...theirs } = await whole.read('mixed');
  expect({ id, ref }).toEqual({ id: 'mixed', ref: 'mixed' });
  expect(ours).toMatchObject(theirs);
  expect(ours.merged.get('d/s')?.entry).toMatchObject({ uid: 1234, gid: 5678, mode: 0o600 });
  expect(ours.text.get('etc/passwd')).toContain('root');
});

it('sends no layer that is known', async () => {
  const knowledge = new LayerKnowledge();
  const sent: number[] = [];
  const counting: SandboxShell = {
    run: (argv, options) => shell.run(argv, options),
    async stream(argv, options) {
      const stream = await shell.stream(argv, options);
      let bytes = 0;
      stream.on('data', (chunk: Buffer) => (bytes += chunk.byteLength));
      stream.on('close', () => sent.push(bytes));
      return stream;
    },
  };
  await build('one', `FROM debian:trixie-slim\nRUN echo one > /one\n`);
  await build('two', `FROM one\nRUN echo two > /two\n`);
  expect((await createSandboxImages(counting, knowledge).read('one')).merged.has('one')).toBe(true);
  const two = await createSandboxImages(counting, knowledge).read('two');
  expect(two.merged.has('two') && two.merged.has('one') && two.merged.has('usr/bin/dpkg')).toBe(true);
  const anew = await createSandboxImages(counting, knowledge).read('two');
  expect(anew).toEqual(two);
  expect(sent).toHaveLength(2);
  expect(sent[0]).toBeGreaterThan(50e6);
  expect(sent[1]).toBeLessThan(100e3);
});

it('falls back on "docker save" where the engine keeps its files elsewhere', async () => {
  await build('other', 'FROM debian:trixie-slim\nRUN echo other > /other\n');
  const { id } = await createSandboxImages(shell).read('other');
  const reader = createArchiveImageReader({
    resolve: () => Promise.resolve({ id }),
    save: () =>
      shell.stream(['/usr/bin/env', 'HOME=/nowhere', '/usr/local/lib/ballast/save-image', id], {
        stdin: 'sha256:unknown\n',
      }),
  });
  expect((await reader.read('other')).merged.has('other')).toBe(true);
});
