import { describe, expect, it } from 'vitest';
import { ackEveryBytes, closeCodes, type ErrorBody } from '../../sandbox-server/protocol/index.ts';
import type { Readable } from './store.ts';
import { TerminalSocket } from './terminal-socket.ts';
import { startSocketServer, type Peer, type SocketServer } from './testing/socket-server.ts';

interface Screen {
  text: string;
  resets: number;
  notices: string[];
  errors: ErrorBody[];
  /** Calls of `rendered` that the test holds back. */
  pending: (() => void)[];
}

const open = (server: SocketServer, options: { hold?: boolean } = {}): { terminal: TerminalSocket; screen: Screen } => {
  const screen: Screen = { text: '', resets: 0, notices: [], errors: [], pending: [] };
  const decoder = new TextDecoder();
  const terminal = new TerminalSocket({
    url: server.url,
    size: { cols: 80, rows: 24 },
    backoff: { baseMs: 10, maxMs: 20 },
    handlers: {
      onReset: () => {
        screen.resets += 1;
        screen.text = '';
      },
      onData: (bytes, rendered) => {
        screen.text += decoder.decode(bytes);
        if (options.hold === true) screen.pending.push(rendered);
        else rendered();
      },
      onNotice: (text) => screen.notices.push(text),
      onError: (error) => screen.errors.push(error),
    },
  });
  return { terminal, screen };
};

const attach = async (server: SocketServer): Promise<Peer> => {
  const peer = await server.connection();
  peer.send({ type: 'ready', name: 'main', resumed: false });
  return peer;
};

const becomes = <T>(store: Readable<T>, wanted: (value: T) => boolean): Promise<void> =>
  new Promise((resolve) => {
    store.subscribe((value) => {
      if (wanted(value)) resolve();
    });
  });

const ready = (terminal: TerminalSocket): Promise<void> => becomes(terminal.shell, (shell) => shell === 'ready');

describe('TerminalSocket', () => {
  it('tells its size first, then types and resizes', async () => {
    await using server = await startSocketServer();
    const { terminal } = open(server);
    expect(terminal.write('early ')).toBe(true);
    const peer = await attach(server);
    expect(await peer.next()).toEqual({ type: 'resize', cols: 80, rows: 24 });
    await ready(terminal);
    expect(await peer.next()).toEqual(new TextEncoder().encode('early '));
    expect(terminal.write('ls ä\r')).toBe(true);
    expect(await peer.next()).toEqual(new TextEncoder().encode('ls ä\r'));
    terminal.resize(80, 24);
    terminal.resize(100, 30);
    expect(await peer.next()).toEqual({ type: 'resize', cols: 100, rows: 30 });
    terminal.dispose();
  });

  it('sends a long paste in pieces', async () => {
    await using server = await startSocketServer();
    const { terminal } = open(server);
    const peer = await attach(server);
    await peer.next();
    await ready(terminal);
    terminal.write('x'.repeat(70_000));
    const sizes = [];
    for (let piece = 0; piece < 3; piece += 1) sizes.push(((await peer.next()) as Uint8Array).length);
    expect(sizes).toEqual([32_768, 32_768, 4464]);
    terminal.dispose();
  });

  it('acknowledges what was drawn, and only that', async () => {
    await using server = await startSocketServer();
    const { terminal, screen } = open(server, { hold: true });
    const peer = await attach(server);
    await peer.next();
    await ready(terminal);
    peer.socket.send(new Uint8Array(ackEveryBytes - 1));
    peer.socket.send(new Uint8Array(10));
    peer.send({ type: 'error', error: { code: 'internal', message: 'm', hint: 'h' } });
    await expect.poll(() => screen.errors.length).toBe(1);
    screen.pending[0]?.();
    terminal.write('not yet');
    expect(await peer.next()).toBeInstanceOf(Uint8Array);
    screen.pending[1]?.();
    expect(await peer.next()).toEqual({ type: 'ack', bytes: ackEveryBytes + 9 });
    terminal.dispose();
  });

  it('clears and replays after a lost connection, and types nothing meanwhile', async () => {
    await using server = await startSocketServer();
    const { terminal, screen } = open(server);
    const first = await attach(server);
    await ready(terminal);
    first.socket.send(new TextEncoder().encode('$ old'));
    await expect.poll(() => screen.text).toBe('$ old');
    first.socket.terminate();
    await becomes(terminal.shell, (shell) => shell === 'attaching');
    expect(terminal.write('blind')).toBe(false);

    const second = await server.connection();
    expect(await second.next()).toEqual({ type: 'resize', cols: 80, rows: 24 });
    second.send({ type: 'replay' });
    second.socket.send(new TextEncoder().encode('$ new'));
    second.send({ type: 'ready', name: 'main', resumed: true });
    await ready(terminal);
    expect(screen).toMatchObject({ text: '$ new', resets: 1 });
    terminal.dispose();
  });

  it('stays ended when the shell has ended, until asked for a new one', async () => {
    await using server = await startSocketServer();
    const { terminal } = open(server);
    const peer = await attach(server);
    await ready(terminal);
    peer.send({ type: 'exit', code: 0 });
    peer.socket.close(closeCodes.exited);
    await becomes(terminal.shell, (shell) => shell === 'ended');
    await becomes(terminal.connection, (connection) => connection.kind === 'closed');
    terminal.restart();
    await attach(server);
    await ready(terminal);
    terminal.dispose();
  });

  it('hangs up on a message that the protocol does not know', async () => {
    await using server = await startSocketServer();
    const { terminal } = open(server);
    const peer = await attach(server);
    const code = new Promise<number>((resolve) => {
      peer.socket.on('close', resolve);
    });
    peer.send({ type: 'ready', name: 'main', resumed: false, extra: 1 });
    expect(await code).toBe(closeCodes.invalidMessage);
    expect(terminal.connection.value).toEqual({ kind: 'closed', code: closeCodes.invalidMessage });
  });

  it('lets a caller wait for the shell, but not for ever', async () => {
    await using server = await startSocketServer();
    const { terminal } = open(server);
    await expect(terminal.when('ready', AbortSignal.timeout(20))).rejects.toThrow('did not become ready');
    const waited = terminal.when('ready', AbortSignal.timeout(5000));
    await attach(server);
    await waited;
    terminal.dispose();
  });
});
