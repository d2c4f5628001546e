import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { countBelongings } from '../helpers/leftovers.ts';
import { prepareBase, TestServer, type Base } from '../helpers/server.ts';
import { openTerminal, untilReady } from '../helpers/socket.ts';

let home: string;
let base: Base;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'ballast-test-home-'));
  // Temporary files of other processes are none of ours.
  process.env['TMPDIR'] = mkdtempSync(join(home, 'tmp-'));
  base = await prepareBase(home);
});

afterAll(() => {
  rmSync(home, { recursive: true, force: true });
});

async function metric(server: TestServer, name: string): Promise<number> {
  const { bytes } = await server.ask('GET', '/metrics');
  const line = bytes
    .toString()
    .split('\n')
    .find((text) => text.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1));
}

const untilPooled = (server: TestServer, count: number): Promise<void> =>
  expect.poll(() => metric(server, 'ballast_pool_ready'), { timeout: 60_000, interval: 100 }).toBe(count);

async function timeToPrompt(server: TestServer): Promise<number> {
  const started = performance.now();
  const session = await server.createSession();
  await untilReady(server, session);
  using terminal = await openTerminal(server, session);
  await terminal.untilText('$ ');
  const ms = performance.now() - started;
  await server.ask('DELETE', `/api/sessions/${session.id}`, { token: session.token });
  return ms;
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;

test('two that come at once get two sandboxes, one of them from the pool', async () => {
  await using server = new TestServer(base, { pool: { size: 1 } });
  await server.start();
  await untilPooled(server, 1);
  const [pooled] = await base.engine.listSandboxes({ 'ballast.host': server.hostId });
  const sessions = await Promise.all([server.createSession(), server.createSession()]);
  await Promise.all(sessions.map((session) => untilReady(server, session)));
  const names = await Promise.all(
    sessions.map(async ({ id, token }, index) => {
      const own = `own-${String(index)}.txt`;
      await server.ask('PUT', `/api/sessions/${id}/files/${own}`, { token, body: Buffer.from(own) });
      const { json } = await server.ask('GET', `/api/sessions/${id}/files`, { token });
      return (json as { files: { path: string }[] }).files
        .map(({ path }) => path)
        .filter((path) => path.startsWith('own'));
    }),
  );
  expect(names).toEqual([['own-0.txt'], ['own-1.txt']]);
  expect(await metric(server, 'ballast_session_start_seconds_count{from="warm"}')).toBe(1);
  expect(await metric(server, 'ballast_session_start_seconds_count{from="cold"}')).toBe(1);
  // The next server finds the one from the pool again, though it does not carry its session's name.
  await server.stop();
  const left = await base.engine.listSandboxes({ 'ballast.host': server.hostId });
  expect(left).toHaveLength(2);
  expect(left.map(({ id }) => id)).toContain(pooled?.id);
  await server.start();
  for (const session of sessions) expect(await server.session(session)).toMatchObject({ state: 'ready' });
  for (const { id, token } of sessions) await server.ask('DELETE', `/api/sessions/${id}`, { token });
  await server.stop();
  expect(await base.engine.listSandboxes({ 'ballast.host': server.hostId })).toEqual([]);
});

test('a claim is far quicker than a start', async () => {
  await using server = new TestServer(base, { pool: { size: 1 } });
  const cold: number[] = [];
  const warm: number[] = [];
  await using unpooled = new TestServer(base);
  await unpooled.start();
  for (let round = 0; round < 5; round += 1) cold.push(await timeToPrompt(unpooled));
  await server.start();
  for (let round = 0; round < 5; round += 1) {
    await untilPooled(server, 1);
    warm.push(await timeToPrompt(server));
  }
  process.stdout.write(
    `to a prompt, median of 5: cold ${median(cold).toFixed(0)} ms, from the pool ${median(warm).toFixed(0)} ms ` +
      `(load average ${loadavg()[0]?.toFixed(1) ?? ''})\n`,
  );
  expect(median(warm)).toBeLessThan(median(cold) / 2);
});

test('nothing is left behind by a run of sessions', async () => {
  await using server = new TestServer(base, { pool: { size: 1 } });
  await server.start();
  await untilPooled(server, 1);
  const known = new Set<string>();
  // Once before counting: caches and connections are made at the first use.
  await timeToPrompt(server);
  await untilPooled(server, 1);
  const before = countBelongings(server, known);
  expect(before).toMatchObject({ containers: 1, volumes: 1, networks: 0 });
  expect(before.processes).toBeGreaterThan(3);
  for (let round = 0; round < 3; round += 1) {
    const session = await server.createSession();
    await untilReady(server, session);
    countBelongings(server, known);
    using terminal = await openTerminal(server, session);
    terminal.type('sleep 1000 & docker images -q | wc -l\r');
    await terminal.untilText(/\n\d+\r/);
    await server.ask('DELETE', `/api/sessions/${session.id}`, { token: session.token });
    await terminal.untilClosed();
  }
  await untilPooled(server, 1);
  expect(known.size).toBeGreaterThanOrEqual(3);
  // A descriptor more or less is a connection kept alive; a process, one that comes and goes.
  const now = (): object => {
    const { descriptors, processes, ...rest } = countBelongings(server, known);
    const steady = descriptors <= before.descriptors + 4 && processes <= before.processes + 2;
    return { ...rest, steady };
  };
  const { containers, volumes, networks, homeFiles, temporaryFiles } = before;
  const expected = { containers, volumes, networks, homeFiles, temporaryFiles, steady: true };
  await expect.poll(now, { timeout: 15_000 }).toEqual(expected);
  await server.stop();
  expect(countBelongings(server, known)).toMatchObject({ containers: 0, volumes: 0, networks: 0, processes: 0 });
});
