import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { countBelongings, type Belongings } from '../helpers/leftovers.ts';
import { prepareBase, TestServer, type Base } from '../helpers/server.ts';
import { openTerminal, untilReady } from '../helpers/socket.ts';

const megabyte = 1e6;
const inARow = 200;
const atOnce = 30;

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

/** Opens a session, uses its shell and its files, closes it. */
async function useOnce(server: TestServer): Promise<void> {
  const session = await server.createSession();
  await untilReady(server, session);
  using terminal = await openTerminal(server, session);
  terminal.type('docker images -q | wc -l; echo used-$((40 + 2))\r');
  await terminal.untilText('used-42');
  const { id, token } = session;
  await server.ask('PUT', `/api/sessions/${id}/files/mine.txt`, { token, body: Buffer.from('mine') });
  const ended = await server.ask('DELETE', `/api/sessions/${id}`, { token });
  expect(ended.status).toBe(204);
}

interface Figures extends Belongings {
  readonly memoryMegabytes: number;
}

function measure(server: TestServer, known: Set<string>): Figures {
  return { ...countBelongings(server, known), memoryMegabytes: Math.round(process.memoryUsage().rss / megabyte) };
}

/** Connections that are kept alive close by themselves a few seconds after the last use. */
async function measureSettled(server: TestServer, known: Set<string>, before: Figures): Promise<Figures> {
  const until = performance.now() + 30_000;
  let after = measure(server, known);
  while (after.descriptors > before.descriptors + 10 && performance.now() < until) {
    await delay(500);
    after = measure(server, known);
  }
  return after;
}

function print(what: string, before: Figures, after: Figures, startedAt: number): void {
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
  const rows = (Object.keys(before) as (keyof Figures)[]).map((name) => `  ${name}: ${before[name]} → ${after[name]}`);
  process.stdout.write(`${what}, ${seconds} s, load average ${loadavg()[0]?.toFixed(1) ?? ''}\n${rows.join('\n')}\n`);
}

function expectNoLeak(before: Figures, after: Figures): void {
  expect(after).toMatchObject({ containers: 0, volumes: 0, networks: 0, processes: 0 });
  expect(after.homeFiles).toBe(before.homeFiles);
  expect(after.temporaryFiles).toBeLessThanOrEqual(before.temporaryFiles);
  expect(after.descriptors).toBeLessThanOrEqual(before.descriptors + 10);
  expect(after.memoryMegabytes).toBeLessThanOrEqual(before.memoryMegabytes + 100);
}

test(`${String(inARow)} sessions in a row leave nothing behind`, async () => {
  await using server = new TestServer(base, { session: { startsPerMinute: 10_000 } });
  await server.start();
  const known = new Set<string>();
  for (let round = 0; round < 5; round += 1) await useOnce(server);
  const before = measure(server, known);
  const started = performance.now();
  for (let round = 0; round < inARow; round += 1) await useOnce(server);
  const after = await measureSettled(server, known, before);
  print(`${String(inARow)} sessions in a row`, before, after, started);
  expectNoLeak(before, after);
});

test(`${String(atOnce)} sessions at once leave nothing behind`, async () => {
  await using server = new TestServer(base, { session: { startsPerMinute: 10_000, max: atOnce } });
  await server.start();
  const known = new Set<string>();
  await useOnce(server);
  const before = measure(server, known);
  const started = performance.now();
  const sessions = await Promise.all(Array.from({ length: atOnce }, () => server.createSession()));
  // The later ones wait for their turn: all of them are served in the end.
  for (const session of sessions) await untilReady(server, session);
  const ids = new Set((await base.engine.listSandboxes({ 'ballast.host': server.hostId })).map(({ id }) => id));
  expect(ids.size).toBe(atOnce);
  countBelongings(server, known);
  await Promise.all(
    sessions.map(async (session) => {
      using terminal = await openTerminal(server, session);
      terminal.type('echo used-$((40 + 2))\r');
      await terminal.untilText('used-42');
    }),
  );
  await Promise.all(sessions.map(({ id, token }) => server.ask('DELETE', `/api/sessions/${id}`, { token })));
  const after = await measureSettled(server, known, before);
  print(`${String(atOnce)} sessions at once`, before, after, started);
  expectNoLeak(before, after);
});
