import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { closeCodes, highWaterBytes, maxFrameBytes } from '../../sandbox-server/protocol/index.ts';
import { prepareBase, TestServer, type TestSession } from '../helpers/server.ts';
import { openEvents, openTerminal, refusedUpgrade, untilReady } from '../helpers/socket.ts';

let home: string;
let server: TestServer;
let session: TestSession;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'ballast-test-home-'));
  server = new TestServer(await prepareBase(home), { heartbeatMs: 500 });
  await server.start();
  session = await server.createSession();
  await untilReady(server, session);
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

const terminals = (name: string): string => `/api/sessions/${session.id}/terminals/${name}`;

describe('an upgrade', () => {
  test.each([
    ['an address that is not there', () => '/api/sockets', {}, 404],
    ['a terminal of a bad name', () => terminals('Not%20safe'), {}, 404],
    ['a name with a colon', () => terminals('a:b'), {}, 404],
    ['a size that is none', () => `${terminals('main')}?cols=0&rows=24`, {}, 400],
    ['a size beyond measure', () => `${terminals('main')}?cols=80&rows=99999`, {}, 400],
    ['no subprotocol', () => terminals('main'), { protocol: null }, 400],
    ['another subprotocol', () => terminals('main'), { protocol: 'ballast.v0' }, 400],
    ['a foreign origin', () => terminals('main'), { headers: { origin: 'http://evil.example' } }, 403],
    ['an opaque origin', () => terminals('main'), { headers: { origin: 'null' } }, 403],
    ['a foreign host name', () => terminals('main'), { headers: { host: 'evil.example' } }, 403],
  ])('with %s is refused', async (_what, path, options, status) => {
    const refusal = await refusedUpgrade(server, path(), session, options);
    expect(refusal.status).toBe(status);
    expect(refusal.body).toContain('"error":{"code":');
  });

  test('with a cookie needs our own origin', async () => {
    const cookie = `ballast_${session.id}=${session.token}`;
    expect((await refusedUpgrade(server, terminals('main'), null, { headers: { cookie } })).status).toBe(403);
    using events = await openEvents(server, null, session.id, { headers: { cookie, origin: server.origin } });
    await events.untilMessage('the session', (message) => message.type === 'session');
  });

  test('without the right token is told so on the socket', async () => {
    const wrong = { ...session, token: 'a'.repeat(43) };
    using events = await openEvents(server, wrong, session.id);
    await events.untilMessage(
      'an error',
      (message) => message.type === 'error' && message.error.code === 'unauthorized',
    );
    expect(await events.untilClosed()).toBe(closeCodes.unauthorized);
    using missing = await openEvents(server, session, 'abcdefghijklmnopqrst');
    expect(await missing.untilClosed()).toBe(closeCodes.notFound);
  });
});

describe('a terminal', () => {
  test('runs a shell in the lab folder', async () => {
    using terminal = await openTerminal(server, session);
    expect(terminal.messages[0]).toEqual({ type: 'replay' });
    terminal.type('pwd; id -un; tty; echo cols=$(tput cols) rows=$(tput lines)\r');
    await terminal.untilText('cols=80 rows=24');
    expect(terminal.text).toContain('/home/learner/multi-stage-go');
    expect(terminal.text).toContain('learner');
    terminal.send({ type: 'resize', cols: 101, rows: 33 });
    terminal.type('clear; until [ $(tput cols) = 101 ]; do sleep 0.1; done; echo now=$(tput cols)x$(tput lines)\r');
    await terminal.untilText('now=101x33');
    expect((await server.session(session)).terminals).toContain('main');
  });

  test('outlives its socket, with screen and scrollback', async () => {
    const first = await openTerminal(server, session, 'again');
    first.type('export MARK=kept; clear; for i in $(seq 1 200); do echo line-$i-$MARK; done; echo end-$MARK\r');
    await first.untilText('end-kept');
    first.socket.close();
    await first.untilClosed();

    using second = await openTerminal(server, session, 'again');
    expect(second.messages.at(-1)).toEqual({ type: 'ready', name: 'again', resumed: true });
    expect(second.messages[0]).toEqual({ type: 'replay' });
    await second.untilText('line-20-kept\r\n');
    await second.untilText('end-kept');
    second.type('echo still-$MARK-$((1+1))\r');
    await second.untilText('still-kept-2');
  });

  test('leaves no client behind in the sandbox when its socket goes', async () => {
    const view = await openTerminal(server, session, 'again');
    view.socket.terminate();
    using watcher = await openTerminal(server, session, 'watcher');
    const count = "ps -eo args | grep -c '[b]allast-terminal again'";
    watcher.type(`until [ $(${count}) = 0 ]; do sleep 0.1; done; echo none-$((40+2))-left\r`);
    await watcher.untilText('none-42-left');
    watcher.send({ type: 'close' });
    await watcher.untilClosed();
  });

  test('is seen alike by two viewers', async () => {
    using one = await openTerminal(server, session, 'shared');
    using two = await openTerminal(server, session, 'shared');
    one.type('echo from-$((20+1))\r');
    await Promise.all([one.untilText('from-21'), two.untilText('from-21')]);
    two.type('echo from-$((20+2))\r');
    await Promise.all([one.untilText('from-22'), two.untilText('from-22')]);
    two.send({ type: 'close' });
    expect(await one.untilClosed()).toBe(closeCodes.exited);
    expect(await two.untilClosed()).toBe(closeCodes.exited);
    expect(one.messages.at(-1)).toMatchObject({ type: 'exit' });
  });

  test('says that its shell has ended, and its name is free again', async () => {
    using terminal = await openTerminal(server, session, 'brief');
    terminal.type('exit\r');
    expect(await terminal.untilClosed()).toBe(closeCodes.exited);
    expect(terminal.messages.at(-1)).toMatchObject({ type: 'exit' });
    expect((await server.session(session)).terminals).not.toContain('brief');
    using again = await openTerminal(server, session, 'brief');
    expect(again.messages.at(-1)).toMatchObject({ type: 'ready', resumed: false });
    again.send({ type: 'close' });
    await again.untilClosed();
  });

  test('can be ended before its shell is there', async () => {
    using hasty = await openTerminal(server, session, 'hasty', { ready: false });
    hasty.send({ type: 'close' });
    expect(await hasty.untilClosed()).toBe(closeCodes.exited);
    expect((await server.session(session)).terminals).not.toContain('hasty');
  });

  test('there are only as many as the lab allows', async () => {
    const { terminals: open, maxTerminals } = await server.session(session);
    const more = await Promise.all(
      Array.from({ length: maxTerminals - open.length }, (_, index) =>
        openTerminal(server, session, `more-${String(index)}`),
      ),
    );
    using refused = await openTerminal(server, session, 'one-too-many', { ready: false });
    await refused.untilMessage('an error', (m) => m.type === 'error' && m.error.code === 'too_many_terminals');
    await refused.untilClosed();
    // One that is there may always be opened again.
    using again = await openTerminal(server, session, open[0]);
    expect(again.messages.at(-1)).toMatchObject({ resumed: true });
    for (const terminal of more) {
      terminal.send({ type: 'close' });
      await terminal.untilClosed();
    }
  });

  test.each([
    ['no JSON', 'resize please'],
    ['an unknown type', '{"type":"exec","argv":["id"]}'],
    ['an unknown key', '{"type":"resize","cols":80,"rows":24,"x":1}'],
    ['a size that is none', '{"type":"resize","cols":-1,"rows":24}'],
    ['a size that is no number', '{"type":"resize","cols":"80","rows":24}'],
    ['an acknowledgement of what was never sent', '{"type":"ack","bytes":99999999}'],
    ['a deep nest', '['.repeat(10_000)],
  ])('is closed after a message that is %s', async (_what, message) => {
    using terminal = await openTerminal(server, session, 'again');
    terminal.send(message);
    await terminal.untilMessage('an error', (m) => m.type === 'error' && m.error.code === 'bad_request');
    expect(await terminal.untilClosed()).toBe(closeCodes.invalidMessage);
  });

  test('is closed after a frame beyond the limit', async () => {
    using terminal = await openTerminal(server, session, 'again');
    terminal.socket.send(Buffer.alloc(maxFrameBytes + 1));
    expect(await terminal.untilClosed()).toBe(1009);
  });

  test('is closed when control messages flood in', async () => {
    using terminal = await openTerminal(server, session, 'again');
    for (let index = 0; index < 2000; index += 1) terminal.send({ type: 'resize', cols: 80, rows: 24 });
    expect(await terminal.untilClosed()).toBe(closeCodes.flooding);
  });

  test('takes a long paste whole, at the pace of the sandbox', async () => {
    using terminal = await openTerminal(server, session, 'again');
    const line = `${'p'.repeat(99)}\n`;
    const lines = 20_000;
    terminal.type('stty -echo; echo go-$((1+1)); cat > /tmp/pasted; stty echo; wc -c < /tmp/pasted\r');
    await terminal.untilText('go-2');
    for (let sent = 0; sent < lines; sent += 250) terminal.type(line.repeat(250));
    terminal.type('\u0004');
    await terminal.untilText(String(lines * line.length));
  });

  test('waits for a viewer that does not render, in bounded memory, and goes on with it', async () => {
    using slow = await openTerminal(server, session, 'slow');
    await slow.untilText('$');
    slow.acknowledging = false;
    const before = process.memoryUsage().rss;
    slow.type('yes "$(printf %0100d 7)" | head -c 50M; echo; echo all-$((50+5))-done\r');
    await slow.until('a full window', () => (slow.bytes > highWaterBytes ? true : undefined));
    // Long enough for fifty megabytes to come through, if nothing held them.
    await delay(3000);
    expect(slow.bytes).toBeLessThan(highWaterBytes + 256 * 1024);
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
    slow.acknowledging = true;
    slow.acknowledge();
    await slow.untilText('all-55-done');
    slow.send({ type: 'close' });
    await slow.untilClosed();
  });

  test('a viewer that has gone silently is dropped', async () => {
    using terminal = await openTerminal(server, session, 'again');
    // Takes no more frames from the network, so it answers no ping.
    terminal.socket.pause();
    await delay(2000);
    terminal.socket.resume();
    expect(await terminal.untilClosed()).toBe(1006);
  });
});

describe('events', () => {
  test('begin with the session and its images', async () => {
    using events = await openEvents(server, session, session.id);
    const first = await events.untilMessage('the session', (message) => message.type === 'session');
    expect(first.session).toMatchObject({ id: session.id, state: 'ready' });
    const { images } = await events.untilMessage('images', (message) => message.type === 'images');
    expect(images.map(({ ref }) => ref)).toContain('golang:1.24');
  });

  test('tell of files that are changed from the terminal', async () => {
    using events = await openEvents(server, session, session.id);
    using terminal = await openTerminal(server, session, 'again');
    await events.untilMessage('images', (message) => message.type === 'images');
    // Watching begins a moment after the first viewer: touch until it is seen.
    terminal.type(
      'mkdir -p sub; for i in $(seq 10); do date > "sub/from shell.txt"; sleep 0.2; done; echo all-$((7*7))-written\r',
    );
    await events.untilMessage('the file', (m) => m.type === 'files' && m.paths.includes('sub/from shell.txt'));
    await terminal.untilText('all-49-written');
  });

  test('tell of an image that is built, tagged or removed', async () => {
    using events = await openEvents(server, session, session.id);
    using terminal = await openTerminal(server, session, 'again');
    terminal.type('docker tag golang:1.24 tagged:here\r');
    const has = (ref: string) => (message: (typeof events.messages)[number]) =>
      message.type === 'images' && message.images.some((image) => image.ref === ref);
    await events.until('the tag', () => events.messages.find(has('tagged:here')));
    terminal.type('docker rmi tagged:here\r');
    await events.until('its removal', () => {
      const last = events.messages.findLast((message) => message.type === 'images');
      return last !== undefined && !has('tagged:here')(last) ? true : undefined;
    });
  });

  test('take nothing from the client', async () => {
    using events = await openEvents(server, session, session.id);
    events.send({ type: 'session' });
    expect(await events.untilClosed()).toBe(closeCodes.invalidMessage);
  });

  test('tell of checks as they end', async () => {
    using events = await openEvents(server, session, session.id);
    const body = JSON.stringify({ ids: ['image-built'] });
    const answer = await server.ask('POST', `/api/sessions/${session.id}/checks`, { body, token: session.token });
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({ lab: 'multi-stage-go', mode: 'live', outcome: 'failed' });
    const started = await events.untilMessage('the start', (message) => message.type === 'checks-started');
    expect(started.ids).toEqual(['image-built']);
    await events.untilMessage('the verdict', (message) => message.type === 'check');
    const done = await events.untilMessage('the end', (message) => message.type === 'checks-done');
    expect(done.result).toEqual(answer.json);
  });
});
