import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createEngineShell } from '../../sandbox-server/checks/engine-shell.ts';
import type { SandboxShell } from '../../sandbox-server/checks/index.ts';
import type { EventMessage, LabResult } from '../../sandbox-server/protocol/index.ts';
import { prepareBase, TestServer } from '../helpers/server.ts';
import type { Answer, Base, TestSession } from '../helpers/server.ts';
import { openEvents, untilReady } from '../helpers/socket.ts';
import type { TestSocket } from '../helpers/socket.ts';

const home = mkdtempSync(join(tmpdir(), 'ballast-live-checks-'));
let base: Base;
let server: TestServer;
let session: TestSession;
let shell: SandboxShell;
let events: TestSocket<EventMessage>;

beforeAll(async () => {
  base = await prepareBase(home);
  server = new TestServer(base);
  await server.start();
  session = await server.createSession();
  await untilReady(server, session);
  events = await openEvents(server, session, session.id);
  const [sandbox] = await base.engine.listSandboxes({ 'ballast.session': session.id });
  shell = createEngineShell(base.engine, sandbox?.id ?? '');
});
afterAll(async () => {
  events[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

/** A build as a learner's own: nothing but its user changes. */
async function build(user: string, tag = 'greeter'): Promise<void> {
  const argv = ['/usr/bin/docker', 'build', '--quiet', `--tag=${tag}`, '-'];
  const stdin = `FROM debian:trixie-slim\nRUN echo built > /built\nUSER ${user}\n`;
  expect(await shell.run(argv, { stdin, timeoutMs: 120_000 })).toMatchObject({ exitCode: 0 });
}

const judge = (ids: readonly string[]): Promise<Answer> =>
  server.ask('POST', `/api/sessions/${session.id}/checks`, { body: JSON.stringify({ ids }), token: session.token });

/** Failed checks in the metrics. */
async function failsCounted(): Promise<number> {
  const text = (await server.ask('GET', '/metrics')).bytes.toString();
  return Number(/^ballast_checks_total\{status="fail"\} (\d+)$/m.exec(text)?.[1] ?? 0);
}

const results = (): LabResult[] =>
  events.messages.flatMap((message) => (message.type === 'checks-done' ? [message.result] : []));
const statusesOf = (result: LabResult): string[] => result.checks.map(({ id, status }) => `${id} ${status}`);

it('judges nothing by itself that nobody has asked for', async () => {
  await build('0');
  await events.untilMessage(
    'the image',
    (message) => message.type === 'images' && message.images.some(({ ref }) => ref.startsWith('greeter')),
  );
  expect(events.messages.some(({ type }) => type === 'checks-started')).toBe(false);
});

it('judges again what was judged before whenever an image changes, and nothing else', async () => {
  await build('65532');
  const answer = await judge(['non-root']);
  expect(answer.json, answer.bytes.toString()).toMatchObject({ outcome: 'passed' });
  const before = results().length;
  const failsBefore = await failsCounted();

  await build('0');
  const broken = await events.until('red again', () =>
    results()
      .slice(before)
      .find(({ outcome }) => outcome === 'failed'),
  );
  expect(statusesOf(broken)).toEqual(['image-built pass', 'non-root fail']);
  expect(await failsCounted()).toBe(failsBefore + 1);

  await build('65532');
  const mended = await events.until('green again', () => {
    const last = results().at(-1);
    return last?.outcome === 'passed' && results().length > before + 1 ? last : undefined;
  });
  expect(statusesOf(mended)).toEqual(['image-built pass', 'non-root pass']);
});

it('makes way for the learner who asks, and never runs twice at once', async () => {
  const from = events.messages.length;
  await build('0');
  const answer = await judge(['non-root', 'small-image']);
  expect(answer).toMatchObject({ status: 200 });
  expect(answer.json).toMatchObject({ outcome: 'failed' });
  await build('65532');
  await events.until('green again', () => {
    const last = results().at(-1);
    return last && statusesOf(last).includes('non-root pass') ? true : undefined;
  });

  // Of two runs at once, results would come that the last start did not announce.
  let announced = new Set<string>();
  for (const message of events.messages.slice(from)) {
    if (message.type === 'checks-started') announced = new Set(message.ids);
    if (message.type === 'check') expect(announced.delete(message.result.id)).toBe(true);
  }
});
