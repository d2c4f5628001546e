import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { closeCodes, createdSession } from '../../sandbox-server/protocol/index.ts';
import { prepareBase, TestServer, type Base, type TestSession } from '../helpers/server.ts';
import { openEvents, openTerminal, untilReady, untilState } from '../helpers/socket.ts';

let home: string;
let base: Base;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'ballast-test-home-'));
  base = await prepareBase(home);
});

afterAll(() => {
  rmSync(home, { recursive: true, force: true });
});

const lab = JSON.stringify({ lab: 'multi-stage-go' });

/** Starts a session as a browser does; gives the cookies that it would keep. */
async function startInBrowser(
  server: TestServer,
  cookie: string | null,
): Promise<TestSession & { readonly browser: string }> {
  const headers = { origin: server.origin, ...(cookie === null ? {} : { cookie }) };
  const answer = await server.ask('POST', '/api/sessions', { headers, body: lab });
  const { token, ...created } = createdSession.parse(answer.json);
  const cookies = answer.headers['set-cookie'] ?? [];
  const browser = /^ballast_browser=[\w-]{43}/.exec(cookies.find((text) => text.startsWith('ballast_browser=')) ?? '');
  return { id: created.id, token, created, setCookie: cookies[0] ?? '', browser: browser?.[0] ?? '' };
}

const fileOf = (server: TestServer, { id, token }: TestSession, name = 'mine.txt'): ReturnType<TestServer['ask']> =>
  server.ask('GET', `/api/sessions/${id}/files/${name}`, { token });

test('when its time is up the files are kept, for the same browser and nobody else', async () => {
  await using server = new TestServer(base, { session: { minutes: 0.5 } });
  await server.start();
  const session = await startInBrowser(server, null);
  await untilReady(server, session);
  const { token } = session;
  await server.ask('PUT', `/api/sessions/${session.id}/files/mine.txt`, { token, body: Buffer.from('mine') });
  using events = await openEvents(server, session, session.id);
  using terminal = await openTerminal(server, session);
  await events.untilMessage('the warning', (message) => message.type === 'notice');
  await terminal.untilMessage('the warning', (message) => message.type === 'notice');
  expect(await server.session(session)).toMatchObject({ state: 'expiring' });
  expect(await events.untilClosed()).toBe(closeCodes.gone);
  const last = events.messages.findLast((message) => message.type === 'session');
  expect(last?.session).toMatchObject({ state: 'closed', stage: expect.stringContaining('are kept') as string });

  // Ending a sandbox that never was there throws nothing away.
  const hasty = await startInBrowser(server, session.browser);
  await server.ask('DELETE', `/api/sessions/${hasty.id}`, { token: hasty.token });
  const stranger = await startInBrowser(server, null);
  await untilReady(server, stranger);
  expect(await fileOf(server, stranger)).toMatchObject({ code: 'file_not_found' });
  await server.ask('DELETE', `/api/sessions/${stranger.id}`, { token: stranger.token });
  const again = await startInBrowser(server, session.browser);
  await untilReady(server, again);
  expect((await fileOf(server, again)).bytes.toString()).toBe('mine');
  expect(await server.session(again)).toMatchObject({ restoredFiles: true });

  const body = JSON.stringify({ files: 'restore' });
  await server.ask('POST', `/api/sessions/${again.id}/reset`, { token: again.token, body });
  await untilReady(server, again);
  expect(await fileOf(server, again)).toMatchObject({ code: 'file_not_found' });
});

test('a session that is left alone becomes idle and is warned; a key, or a running build, keeps it', async () => {
  await using server = new TestServer(base, { session: { idleMinutes: 0.3 } });
  await server.start();
  const session = await server.createSession();
  await untilReady(server, session);
  using terminal = await openTerminal(server, session);
  using events = await openEvents(server, session, session.id);
  await untilState(events, 'idle');
  await untilState(events, 'expiring');
  // The end it is warned of is that of its being left alone, long before its time is up.
  terminal.type('\r');
  await untilState(events, 'ready');
  // As long as something that looks like a build runs, nobody needs to press a key.
  const typed = performance.now();
  terminal.type('(exec -a "docker build " sleep 15)\r');
  await untilState(events, 'expiring');
  expect(performance.now() - typed).toBeGreaterThan(20_000);
  expect(await events.untilClosed()).toBe(closeCodes.gone);
});

test('over the limit there is a queue with a position; past its end, a refusal with a reason', async () => {
  await using server = new TestServer(base, { session: { max: 1, queue: 1 } });
  await server.start();
  const first = await server.createSession();
  await untilReady(server, first);
  const answer = await server.ask('POST', '/api/sessions', { body: lab });
  expect(answer).toMatchObject({ status: 202, json: { state: 'queued', queue: { position: 1 } } });
  const { token, ...created } = createdSession.parse(answer.json);
  expect(created.queue?.waitSeconds).toBeGreaterThan(0);
  const second: TestSession = { id: created.id, token, created, setCookie: '' };
  expect(await server.ask('POST', '/api/sessions', { body: lab })).toMatchObject({ status: 503, code: 'capacity' });
  // It keeps its place when the server is started again.
  await server.stop();
  await server.start();
  expect(await server.session(second)).toMatchObject({ state: 'queued', queue: { position: 1 } });
  await server.ask('DELETE', `/api/sessions/${first.id}`, { token: first.token });
  await untilReady(server, second);
});

test('a machine without room refuses, and says why', async () => {
  await using server = new TestServer(base, { admission: { memoryReserveBytes: Number.MAX_SAFE_INTEGER } });
  await server.start();
  const answer = await server.ask('POST', '/api/sessions', { body: lab });
  expect(answer).toMatchObject({ status: 503, code: 'capacity' });
  expect(answer.bytes.toString()).toContain('memory');
});

test('after the engine of the host was started again, sandboxes come back around their files', async () => {
  await using server = new TestServer(base);
  await server.start();
  const session = await server.createSession();
  await untilReady(server, session);
  const { token } = session;
  await server.ask('PUT', `/api/sessions/${session.id}/files/mine.txt`, { token, body: Buffer.from('mine') });
  await server.stop();
  // What the end of an engine does to its containers.
  const [sandbox] = await base.engine.listSandboxes({ 'ballast.host': server.hostId });
  await base.engine.removeSandbox(sandbox!.id, { keepData: true });
  await server.start();
  await untilReady(server, session);
  expect((await fileOf(server, session)).bytes.toString()).toBe('mine');
});

test('an engine that is killed in a sandbox is started again, and the learner is told', async () => {
  await using server = new TestServer(base);
  await server.start();
  const session = await server.createSession();
  await untilReady(server, session);
  using events = await openEvents(server, session, session.id);
  using terminal = await openTerminal(server, session);
  terminal.type('pkill -KILL -x dockerd\r');
  const notice = await events.untilMessage('a notice', (message) => message.type === 'notice');
  expect(notice).toMatchObject({ text: expect.stringContaining('started again') as string });
  terminal.type('until docker version >/dev/null 2>&1; do sleep 0.2; done; echo back-$((20 + 3))\r');
  await terminal.untilText('back-23');
  expect(await server.session(session)).toMatchObject({ state: 'ready' });
});
