import { describe, expect, it } from 'vitest';
import { closeCodes } from '../../sandbox-server/protocol/index.ts';
import { ReconnectingSocket, type ConnectionState } from './reconnecting-socket.ts';
import { startSocketServer } from './testing/socket-server.ts';

const open = (url: string, texts: string[] = []): ReconnectingSocket =>
  new ReconnectingSocket({
    url: () => url,
    backoff: { baseMs: 20, maxMs: 40 },
    handlers: { onText: (text) => texts.push(text) },
  });

const reached = (socket: ReconnectingSocket, kind: ConnectionState['kind']): Promise<void> =>
  new Promise((resolve) => {
    socket.state.subscribe((state) => {
      if (state.kind === kind) resolve();
    });
  });

describe('ReconnectingSocket', () => {
  it('speaks our subprotocol and comes back when the connection is lost, saying when', async () => {
    await using server = await startSocketServer();
    const socket = open(server.url);
    const first = await server.connection();
    expect(first.socket.protocol).toBe('ballast.v1');
    await reached(socket, 'open');

    const states: ConnectionState[] = [];
    socket.state.subscribe((state) => states.push(state));
    first.socket.terminate();
    const second = await server.connection();
    await reached(socket, 'open');
    expect(states.map((state) => state.kind)).toEqual(['open', 'waiting', 'connecting', 'open']);
    expect(states[1]).toMatchObject({ attempt: 1, retryAt: expect.any(Number) as number });

    socket.send('"again"');
    expect(await second.next()).toBe('again');
    socket.close();
  });

  it('does not come back after a close code that is final', async () => {
    await using server = await startSocketServer();
    const socket = open(server.url);
    const peer = await server.connection();
    await reached(socket, 'open');
    peer.socket.close(closeCodes.gone);
    await reached(socket, 'closed');
    expect(socket.state.value).toEqual({ kind: 'closed', code: closeCodes.gone });
    expect(socket.send('lost')).toBe(false);
  });

  it('waits longer each time, and tries at once when asked to', async () => {
    const socket = new ReconnectingSocket({
      url: () => 'ws://127.0.0.1:1/',
      backoff: { baseMs: 20, maxMs: 60_000, random: () => 1 },
      handlers: { onText: () => undefined },
    });
    const attempts = await new Promise<number[]>((resolve) => {
      const seen: number[] = [];
      socket.state.subscribe((state) => {
        if (state.kind === 'waiting') seen.push(state.attempt);
        if (seen.length === 3) resolve(seen);
      });
    });
    expect(attempts).toEqual([1, 2, 3]);
    socket.retryNow();
    expect(socket.state.value.kind).toBe('connecting');
    socket.close();
  });

  it('starts over when told that the connection is dead', async () => {
    await using server = await startSocketServer();
    const socket = open(server.url);
    await server.connection();
    await reached(socket, 'open');
    socket.reconnect();
    expect(socket.state.value.kind).toBe('waiting');
    await server.connection();
    await reached(socket, 'open');
    socket.close();
  });
});
