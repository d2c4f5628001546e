import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { closeCodes } from '../../sandbox-server/protocol/index.ts';
import { prepareBase, TestServer, type Base } from '../helpers/server.ts';
import { openEvents, openTerminal, untilReady } from '../helpers/socket.ts';

let home: string;
let base: Base;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'ballast-test-home-'));
  base = await prepareBase(home);
});

afterAll(() => {
  rmSync(home, { recursive: true, force: true });
});

const sandboxesOf = (server: TestServer): ReturnType<Base['engine']['listSandboxes']> =>
  base.engine.listSandboxes({ 'ballast.host': server.hostId });

test('a server that stops tells its sockets and keeps its sandboxes; the next one goes on with them', async () => {
  await using server = new TestServer(base);
  await server.start();
  const session = await server.createSession();
  await untilReady(server, session);
  const terminal = await openTerminal(server, session);
  terminal.type('export MARK=kept; echo set-$MARK\r');
  await terminal.untilText('set-kept');
  const events = await openEvents(server, session, session.id);

  const started = performance.now();
  await server.stop();
  expect(performance.now() - started).toBeLessThan(5000);
  expect(await terminal.untilClosed()).toBe(1001);
  expect(await events.untilClosed()).toBe(1001);
  for (const socket of [terminal, events]) {
    expect(socket.messages.at(-1)).toMatchObject({ type: 'error', error: { code: 'shutting_down' } });
  }
  expect(await sandboxesOf(server)).toMatchObject([{ session: session.id, running: true }]);

  await server.start();
  expect(await server.session(session)).toMatchObject({ state: 'ready', lab: 'multi-stage-go' });
  using again = await openTerminal(server, session);
  expect(again.messages.at(-1)).toMatchObject({ type: 'ready', resumed: true });
  again.type('echo still-$MARK\r');
  await again.untilText('still-kept');
  expect((await server.session(session)).terminals).toEqual(['main']);
});

test('a server that is stopping refuses new sessions, and says so', async () => {
  await using server = new TestServer(base);
  await server.start();
  await server.createSession();
  // A start that has to be called off takes the server's end a moment, in which it still listens.
  const stopping = server.stop();
  const refused = await server.ask('POST', '/api/sessions', { body: JSON.stringify({ lab: 'multi-stage-go' }) });
  expect(refused).toMatchObject({ status: 503, code: 'shutting_down' });
  await stopping;
});

test('a server that starts removes what belongs to no session', async () => {
  await using server = new TestServer(base);
  await server.start();
  const session = await server.createSession();
  await untilReady(server, session);
  await server.stop();
  const [sandbox] = await sandboxesOf(server);
  await base.engine.removeSandbox(sandbox!.id);
  // As one that was killed in between would leave it.
  const labels = { 'ballast.kind': 'sandbox', 'ballast.host': server.hostId, 'ballast.session': 'leftover' };
  await base.engine.createVolume(`ballast-home-leftover-${server.hostId}`, labels);
  await server.start();
  const gone = await server.ask('GET', `/api/sessions/${session.id}`, { token: session.token });
  expect(gone).toMatchObject({ status: 404, code: 'session_not_found' });
  expect(await base.engine.listVolumes({ 'ballast.host': server.hostId })).toEqual([]);
});

test('a reset brings a new container, with the files or without', async () => {
  await using server = new TestServer(base);
  await server.start();
  const session = await server.createSession();
  await untilReady(server, session);
  const file = `/api/sessions/${session.id}/files/mine.txt`;
  const { token } = session;
  await server.ask('PUT', file, { token, body: Buffer.from('mine') });
  const [before] = await sandboxesOf(server);
  using terminal = await openTerminal(server, session);

  const reset = (files: string): ReturnType<TestServer['ask']> =>
    server.ask('POST', `/api/sessions/${session.id}/reset`, { token, body: JSON.stringify({ files }) });
  expect((await reset('keep')).json).toMatchObject({ state: 'starting' });
  expect(await reset('keep')).toMatchObject({ status: 409, code: 'session_not_ready' });
  expect(await terminal.untilClosed()).toBe(1013);
  await untilReady(server, session);
  const [after] = await sandboxesOf(server);
  expect(after?.id).not.toBe(before?.id);
  expect((await server.ask('GET', file, { token })).bytes.toString()).toBe('mine');

  await reset('restore');
  await untilReady(server, session);
  expect(await server.ask('GET', file, { token })).toMatchObject({ code: 'file_not_found' });
  const dockerfile = `/api/sessions/${session.id}/files/Dockerfile`;
  expect((await server.ask('GET', dockerfile, { token })).status).toBe(200);
});

test('a sandbox that stops by itself is started again around its files', async () => {
  await using server = new TestServer(base);
  await server.start();
  const session = await server.createSession();
  await untilReady(server, session);
  const { token } = session;
  const file = `/api/sessions/${session.id}/files/mine.txt`;
  await server.ask('PUT', file, { token, body: Buffer.from('mine') });
  using events = await openEvents(server, session, session.id);
  using terminal = await openTerminal(server, session);
  // The first process is root's; the one that keeps the engine running is the learner's.
  terminal.type('kill -TERM $(pgrep -o supervise)\r');
  await terminal.untilClosed();
  await events.untilMessage('a notice', (message) => message.type === 'notice');
  await untilReady(server, session);
  expect((await server.ask('GET', file, { token })).bytes.toString()).toBe('mine');
});

test('a session ends when its time is up, and can be prolonged before', async () => {
  await using server = new TestServer(base, { session: { minutes: 10 / 60, maxMinutes: 15 / 60 } });
  await server.start();
  const session = await server.createSession();
  await untilReady(server, session);
  const extended = await server.ask('POST', `/api/sessions/${session.id}/extend`, { token: session.token });
  const { expiresAt } = extended.json as { expiresAt: string };
  expect(Date.parse(expiresAt)).toBeGreaterThan(Date.parse(session.created.expiresAt));
  expect(Date.parse(expiresAt)).toBeLessThanOrEqual(Date.parse(session.created.createdAt) + 15_000);
  using events = await openEvents(server, session, session.id);
  using terminal = await openTerminal(server, session);
  expect(await events.untilClosed()).toBe(closeCodes.gone);
  expect(await terminal.untilClosed()).toBe(closeCodes.gone);
  expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(expiresAt));
  await expect.poll(() => sandboxesOf(server), { timeout: 15_000 }).toEqual([]);
  expect(await base.engine.listVolumes({ 'ballast.host': server.hostId })).toEqual([]);
});
