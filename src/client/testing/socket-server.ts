import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type RawData, type WebSocket } from 'ws';
import { subprotocol } from '../../../sandbox-server/protocol/index.ts';

/** A real WebSocket server on a free port, with what a test needs to wait for. */
export interface SocketServer extends AsyncDisposable {
  readonly url: string;
  /** The next client that connects. */
  connection(): Promise<Peer>;
}

export interface Peer {
  readonly socket: WebSocket;
  /** The next message: parsed JSON of a text frame, bytes of a binary one. */
  next(): Promise<unknown>;
  send(message: object): void;
}

/** Starts the server; dispose of it with `await using`. */
export async function startSocketServer(): Promise<SocketServer> {
  const server = new WebSocketServer({
    host: '127.0.0.1',
    port: 0,
    handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false),
  });
  await once(server, 'listening');
  const peers = queue<Peer>();
  server.on('connection', (socket) => {
    const messages = queue<unknown>();
    socket.on('message', (data: RawData, binary) => {
      const bytes = data as Buffer;
      messages.put(binary ? new Uint8Array(bytes) : JSON.parse(bytes.toString('utf8')));
    });
    peers.put({
      socket,
      next: messages.take,
      send: (message) => {
        socket.send(JSON.stringify(message));
      },
    });
  });
  return {
    url: `ws://127.0.0.1:${String((server.address() as AddressInfo).port)}/`,
    connection: peers.take,
    [Symbol.asyncDispose]: async () => {
      for (const client of server.clients) client.terminate();
      server.close();
      await once(server, 'close');
    },
  };
}

function queue<T>(): { put: (item: T) => void; take: () => Promise<T> } {
  const items: T[] = [];
  const takers: ((item: T) => void)[] = [];
  return {
    put: (item) => {
      const taker = takers.shift();
      if (taker === undefined) items.push(item);
      else taker(item);
    },
    take: () =>
      new Promise((resolve) => {
        const item = items.shift();
        if (item === undefined) takers.push(resolve);
        else resolve(item);
      }),
  };
}
