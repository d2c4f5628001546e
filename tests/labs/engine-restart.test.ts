import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OwnEngine, whyNoOwnEngine } from '../helpers/own-engine.ts';
import { prepareBase, TestServer, type Base } from '../helpers/server.ts';
import { openEvents, openTerminal, untilReady, untilState } from '../helpers/socket.ts';

const reason = whyNoOwnEngine();
if (reason !== null) process.stderr.write(`\n!!! tests of a restarted engine are skipped, because ${reason}\n\n`);

describe.skipIf(reason !== null)('when the Docker Engine of the host is restarted under the server', () => {
  let home: string;
  let own: OwnEngine | undefined;
  let base: Base;

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'ballast-test-home-'));
    ({ own, base } = await OwnEngine.start(await prepareBase(home)));
  });
  afterAll(async () => {
    await own?.[Symbol.asyncDispose]();
    rmSync(home, { recursive: true, force: true });
  });

  test('a session comes back around its files, and its learner is told what is lost', async () => {
    await using server = new TestServer(base);
    await server.start();
    const session = await server.createSession();
    await untilReady(server, session);
    const { token } = session;
    const file = `/api/sessions/${session.id}/files/mine.txt`;
    await server.ask('PUT', file, { token, body: Buffer.from('mine') });
    using events = await openEvents(server, session, session.id);
    using terminal = await openTerminal(server, session);
    terminal.type('printf \'FROM scratch\\nCOPY mine.txt /\\n\' | docker build -q -t built -f - . && echo bui""lt\r');
    await terminal.untilText('built\r');

    await own!.stopEngine();
    await terminal.untilClosed();
    // While there is no engine, the server answers, and says what is wrong.
    expect((await server.ask('GET', '/api/health')).status).toBeLessThan(600);
    expect(await server.session(session)).toMatchObject({ state: expect.stringMatching(/starting|failed/) as string });
    await own!.startEngine();

    await untilState(events, 'ready');
    const notice = events.messages.find((message) => message.type === 'notice');
    expect(notice).toMatchObject({ text: expect.stringContaining('running programs are not') as string });
    expect((await server.ask('GET', file, { token })).bytes.toString()).toBe('mine');
    using again = await openTerminal(server, session);
    again.type('docker image inspect -f "{{.RepoTags}}" built\r');
    await again.untilText('[built:latest]');
    // Others can come again too.
    const next = await server.createSession();
    await untilReady(server, next);
  });
});
