import { once } from 'node:events';
import type Docker from 'dockerode';
import { WebSocket } from 'ws';
import { ackEveryBytes, subprotocol, terminalServerMessage } from '../../sandbox-server/protocol/index.ts';
import { execOnTerminal } from '../../sandbox-server/engines/docker/exec.ts';
import type { TestSession } from '../helpers/server.ts';

export const terminalSize = { cols: 100, rows: 30 };

/** A way from a client to a shell: keys go in, what the screen shows comes out. */
export interface Line {
  send(keys: string): void;
  /** Who is told of what comes; one at a time. */
  onBytes: (bytes: Buffer) => void;
  close(): Promise<void>;
}

/** How to get a line to a shell in the sandbox that is typed in. */
export interface LineKind {
  readonly name: 'ballast' | 'exec' | 'wetty';
  open(): Promise<Line>;
}

/** Through Ballast's WebSocket, as the page has it: output is acknowledged as it comes. */
export async function openBallastLine(url: string, { id, token }: TestSession, name: string): Promise<Line> {
  const { cols, rows } = terminalSize;
  const address = `${url.replace('http', 'ws')}/api/sessions/${id}/terminals/${name}?cols=${String(cols)}&rows=${String(rows)}`;
  const socket = new WebSocket(address, [subprotocol], {
    headers: { authorization: `Bearer ${token}` },
    perMessageDeflate: false,
  });
  let unacknowledged = 0;
  const ready = Promise.withResolvers<undefined>();
  const line: Line = {
    send(keys) {
      socket.send(Buffer.from(keys));
    },
    onBytes: () => undefined,
    async close() {
      if (socket.readyState === WebSocket.CLOSED) return;
      // The shell ends too: a view alone would leave it running.
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: 'close' }));
      await once(socket, 'close');
    },
  };
  socket.on('message', (data, isBinary) => {
    const bytes = data as Buffer;
    if (!isBinary) {
      const message = terminalServerMessage.parse(JSON.parse(bytes.toString()));
      if (message.type === 'ready') ready.resolve(undefined);
      if (message.type === 'error') ready.reject(new Error(message.error.message));
      return;
    }
    unacknowledged += bytes.length;
    if (unacknowledged >= ackEveryBytes) {
      socket.send(JSON.stringify({ type: 'ack', bytes: unacknowledged }));
      unacknowledged = 0;
    }
    line.onBytes(bytes);
  });
  socket.on('error', (error) => {
    ready.reject(error);
  });
  await ready.promise;
  return line;
}

/** A bare `docker exec -it`: the engine's API itself, without even the command line program. */
export async function openExecLine(
  docker: Docker,
  containerId: string,
  options: { readonly user: 'learner' | 'root'; readonly cwd: string } = { user: 'learner', cwd: '/home/learner' },
): Promise<Line> {
  const exec = await execOnTerminal(docker, containerId, { argv: ['/bin/bash'], ...options }, terminalSize);
  const line: Line = {
    send(keys) {
      exec.stream.write(keys);
    },
    onBytes: () => undefined,
    async close() {
      if (exec.stream.readableEnded || exec.stream.destroyed) return;
      // A program started by exec does not end with its connection.
      exec.stream.write('\u0015exit\r');
      await once(exec.stream, 'end').catch(() => undefined);
      exec.destroy();
    },
  };
  exec.stream.on('data', (bytes: Buffer) => {
    line.onBytes(bytes);
  });
  return line;
}

/** Resolves once all that came since the call fits `wanted`. @throws after a minute, with what came */
export async function untilShown(line: Line, wanted: string | RegExp): Promise<void> {
  const shown = Promise.withResolvers<undefined>();
  let text = '';
  const timer = setTimeout(() => {
    shown.reject(new Error(`"${String(wanted)}" was not shown, but: ${text.slice(-500)}`));
  }, 60_000);
  line.onBytes = (bytes) => {
    // Only the end is looked at: of what flows by, it must not be looked at again and again.
    text = (text + bytes.toString('latin1')).slice(-8192);
    if (typeof wanted === 'string' ? text.includes(wanted) : wanted.test(text)) shown.resolve(undefined);
  };
  try {
    await shown.promise;
  } finally {
    clearTimeout(timer);
    line.onBytes = () => undefined;
  }
}
